"""The keeper: a small process beside each worker that renews its leases and watches over its attempts.

It shares nothing with the work: its own process (an action that holds the interpreter lock cannot stop it), its own
connections. It sees a process of the worker die by the end of its socket, hears stop requests from PostgreSQL at once
(LISTEN) or at the next heartbeat, watches deadlines, and terminates what does not obey within the grace time.
Started by workers/lifecycle.py as `python -m workers.keeper`, settings as one JSON line on stdin.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

import psutil

from logs import configure_logs
from orchestration.core.decide import Lost
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Held
from orchestration.engine.sweep import Sweep
from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.store.database import Database
from workers.endings import Endings
from workers.keeper_news import KeeperNews
from workers.session import WorkerSession
from workers.watches import HAND_OVER_PATIENCE_S, Client, Watch
from workers.wire import Message

log = logging.getLogger("perdure.keeper")

# The worker's group is signalled as a whole; the keeper goes when the main process is gone.
IGNORED = (signal.SIGTERM, signal.SIGINT)
# What the processes say while steps are short is heard in one go, so that it costs next to nothing. It delays the news
# of a death or a stop by as much.
GATHER_S = 0.02
# After a drain's time is up, how long what is left may take to obey.
DRAIN_GRACE_S = 2.0
# And how long after it the worker may take to end.
KILL_AFTER_S = DRAIN_GRACE_S + 1


class Keeper:
    """One worker's keeper. `run` returns when the worker's main process is gone."""

    def __init__(self, settings: Message) -> None:
        self.owner: str = settings["owner"]
        self.heartbeat_s: float = settings["heartbeat_s"]
        self.grace_s: float = settings["stop_grace_s"]
        # As the main process knows itself: were it gone by now, our parent would be somebody else for ever.
        self.main_pid: int = settings["pid"]
        database = Database(settings["database_url"], name=f"perdure-keeper {self.owner}", size=1)
        self.news = KeeperNews(settings["redis_url"])
        self.attempts = Attempts(database, self.news, self.news, lease_s=settings["lease_s"], resend_s=0)
        sweep = Sweep(database, self.news, self.news, lease_s=settings["lease_s"], resend_s=0)
        self.endings = Endings(sweep, self.owner, self._clients_now)
        self.session = WorkerSession(
            settings["database_url"], self.owner, settings["name"], self.main_pid, settings.get("declared")
        )
        self.selector = selectors.DefaultSelector()
        self.server = socket.socket(fileno=settings["listener"])
        self.path = Path(self.server.getsockname())
        self.selector.register(self.server, selectors.EVENT_READ)
        self.clients: dict[socket.socket, Client] = {}
        self.drain_at: float | None = None
        self.next_beat = 0.0
        self.followed: tuple[object, int] | None = None

    def run(self) -> None:
        """Serve until the main process is gone and all it held is accounted for."""
        while self._main_lives() or self.clients or not self.endings.is_empty:
            self._follow_session()
            if self._listen(self._pause()):
                time.sleep(GATHER_S)
                self._listen(0)
            if self.session.heard_stop():
                self.next_beat = 0.0
            self._beat()
            self._enforce()
            self.endings.settle()
            if not self._main_lives():
                self._follow_main()
        self.session.close()
        self.news.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
            self.path.parent.rmdir()

    # Sockets

    def _pause(self) -> float:
        """Seconds until there is something to do if nobody says anything."""
        now = time.monotonic()
        times: list[float | None] = [self.next_beat if self._watches() else now + self.heartbeat_s]
        times += [watch.next_look for watch in self._watches()]
        times += [self.session.next_try, self.endings.next_at, self._next_of_drain(now)]
        return max(0.0, min(at for at in times if at is not None) - now)

    def _next_of_drain(self, now: float) -> float | None:
        if self.drain_at is None:
            return None
        return next((at for at in (self.drain_at, self.drain_at + KILL_AFTER_S) if at > now), now + DRAIN_GRACE_S)

    def _follow_session(self) -> None:
        """Keep the session open and its descriptor in the selector, so that a stop wakes us at once."""
        self.session.ensure()
        connection = self.session.connection
        # By the connection, not by its descriptor: the next connection is likely to get the same one.
        if connection is not (self.followed[0] if self.followed else None):
            if self.followed is not None:
                self.selector.unregister(self.followed[1])
            self.followed = (connection, connection.fileno()) if connection is not None else None
            if self.followed is not None:
                self.selector.register(self.followed[1], selectors.EVENT_READ)

    def _listen(self, pause_s: float) -> bool:
        """Hear what there is to hear, for `pause_s` at most; whether a process said something."""
        heard = False
        for key, _ in self.selector.select(pause_s):
            if key.fileobj is self.server:
                self._welcome()
            elif isinstance(key.fileobj, socket.socket):
                heard = True
                self._read(self.clients[key.fileobj])
        return heard

    def _welcome(self) -> None:
        try:
            connection, _ = self.server.accept()
        except OSError:
            return
        self.clients[connection] = Client(connection)
        self.selector.register(connection, selectors.EVENT_READ)

    def _read(self, client: Client) -> None:
        try:
            data = client.connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._bury(client)
            return
        for message in client.lines.feed(data):
            self._hear(client, message)

    def _hear(self, client: Client, message: Message) -> None:
        match message:
            case {"t": "hello", "pid": int(pid), "role": str(role)}:
                client.pid, client.is_main = pid, role == "main"
                client.say({"t": "watching"})
                if self.drain_at is not None:
                    client.say({"t": "draining"})
            case {"t": "claiming", "run_id": str(run_id), "position": int(position)}:
                client.claiming.append((run_id, position))
            case {"t": "refused", "run_id": str(run_id), "position": int(position)}:
                client.claimed((run_id, position))
            case {"t": "unheard", "run_id": str(run_id), "position": int() | None as position}:
                client.claimed((run_id, position))
                self.endings.look_for((run_id, position))
            case {"t": "hold"}:
                self._watch(client, message)
            case {"t": "drop", "held": [run, position, attempt]}:
                client.watches.pop(Held(run, position, attempt), None)
            case {"t": "limit", "held": [run, position, attempt], "seconds": float(seconds) | int(seconds)}:
                watch = client.watches.get(Held(run, position, attempt))
                if watch is not None:
                    watch.deadline = min(watch.deadline, time.monotonic() + seconds)
            case {"t": "drain", "seconds": float(seconds) | int(seconds)} if self.drain_at is None:
                self.drain_at = time.monotonic() + seconds
                for other in self.clients.values():
                    other.say({"t": "draining"})

    def _watch(self, client: Client, message: Message) -> None:
        now, run_id = time.monotonic(), str(message["run_id"])
        held = Held(*message["held"])
        client.claimed((run_id, held.position))
        if "drop" in message:
            client.watches.pop(Held(*message["drop"]), None)
        elif not self._watches():
            self.next_beat = now + self.heartbeat_s
        hands_over_s = float(message["hands_over_s"])
        client.watches[held] = Watch(
            held,
            deadline=now + float(message["timeout_s"]),
            may_repeat=bool(message["may_repeat"]),
            run_id=run_id,
            # Twice what the process allows itself: whatever we then find unsaid it will not begin.
            hands_over_until=now + hands_over_s + 2 * HAND_OVER_PATIENCE_S if hands_over_s else 0.0,
        )

    def _bury(self, client: Client) -> None:
        """A process of the worker ended its socket: what it held is lost, or was stopped by us."""
        self.selector.unregister(client.connection)
        client.connection.close()
        del self.clients[client.connection]
        # A child that dies while its parent lives died of its step; with the parent, of something else.
        goes_on = self._main_lives() and self.drain_at is None
        counted = not client.is_main and goes_on and len(client.watches) == 1
        for watch in client.watches.values():
            self.endings.add(watch.held, watch.outcome(Lost(counted=counted)))
            if watch.hands_over_until > time.monotonic():
                self.endings.look_for((watch.run_id, None))
        for claim in client.claiming:
            self.endings.look_for(claim)

    def _main_lives(self) -> bool:
        return os.getppid() == self.main_pid

    def _follow_main(self) -> None:
        """The main process is gone: children finish what they hold; where the system does not end them then, we do."""
        for client in self.clients.values():
            if client.pid and not client.watches and not client.claiming:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(client.pid, signal.SIGKILL)
        if self.session.connection is None:
            # With PostgreSQL away there is nobody to wait for.
            self.endings.give_up()

    def _clients_now(self) -> list[Client]:
        self._listen(0)
        return list(self.clients.values())

    # Leases, deadlines, stops

    def _watches(self) -> list[Watch]:
        return [watch for client in self.clients.values() for watch in client.watches.values()]

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self.next_beat or not self._watches():
            return
        self.next_beat = now + self.heartbeat_s
        # A stopped process (SIGSTOP) may never come back; its work must be free to go elsewhere.
        awake = [client for client in self.clients.values() if client.watches and not _is_stopped(client.pid)]
        held = [held for client in awake for held in client.watches]
        if not held:
            return
        try:
            answers = self.attempts.heartbeat(self.owner, held)
        except StoreUnavailable:
            return
        except StoreRefused as refused:
            log.error("heartbeat refused: %s", refused)
            return
        for client in awake:
            for watch in list(client.watches.values()):
                match answers.get(watch.held):
                    case "stop":
                        self._cancel(client, watch, "stop", self.grace_s)
                    case "lost":
                        self._cancel(client, watch, "lost", self.grace_s)
                    case "busy":
                        self.next_beat = min(self.next_beat, now + 0.1)

    def _enforce(self) -> None:
        """Deadlines, the end of a drain, and those who did not obey."""
        now = time.monotonic()
        draining = self.drain_at is not None and now >= self.drain_at
        for client in list(self.clients.values()):
            for watch in list(client.watches.values()):
                if now >= watch.deadline:
                    self._cancel(client, watch, "timeout", self.grace_s)
                elif draining:
                    self._cancel(client, watch, "drain", DRAIN_GRACE_S)
                if watch.kill_at is not None and now >= watch.kill_at:
                    self._terminate(client, watch)
        if self.drain_at is not None and now >= self.drain_at + KILL_AFTER_S and self._main_lives():
            # Threads that never return keep a process alive for ever; all they held was handed back.
            log.warning("worker did not end in time, killing it", extra={"pid": self.main_pid})
            os.kill(self.main_pid, signal.SIGKILL)

    def _cancel(self, client: Client, watch: Watch, reason: str, grace_s: float) -> None:
        if watch.reason:
            return
        watch.reason, watch.kill_at = reason, time.monotonic() + grace_s
        held = watch.held
        client.say({"t": "cancel", "held": [held.run, held.position, held.attempt], "reason": reason})

    def _terminate(self, client: Client, watch: Watch) -> None:
        """It did not obey. A pool child is killed; a thread cannot be, so its attempt is ended over its head."""
        watch.kill_at = None
        if not client.is_main:
            with contextlib.suppress(ProcessLookupError):
                os.kill(client.pid, signal.SIGKILL)
            return
        client.watches.pop(watch.held)
        self.endings.add(watch.held, watch.outcome(Lost(counted=False)))
        client.say({"t": "abandoned"})


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    except psutil.Error:
        return False


def main() -> None:
    """Read the settings, keep."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
    settings = json.loads(sys.stdin.readline())
    configure_logs(settings["log_level"], settings["log_format"])
    Keeper(settings).run()


if __name__ == "__main__":
    main()
