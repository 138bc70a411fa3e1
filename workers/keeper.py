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
from dataclasses import dataclass, field
from typing import Any

import psutil

from logs import configure_logs
from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost, Outcome, StepError
from orchestration.engine.attempts import Attempts, Held
from orchestration.engine.sweep import Sweep
from orchestration.errors import StoreUnavailable
from orchestration.store.database import Database
from workers.session import WorkerSession
from workers.wire import LineBuffer, Message, encode

log = logging.getLogger("perdure.keeper")

# After a drain's time is up, how long what is left may take to obey.
DRAIN_GRACE_S = 2.0


class Unsaid:
    """The keeper sends no messages: a step it ends is due at once, and the janitor's next sweep sends it."""

    def send(self, steps: Any) -> None:
        """Leave it to the sweep."""
        del steps

    def publish(self, run_id: str, events: Any, *, final: bool = False) -> None:
        """Leave it to the readers of the state."""
        del run_id, events, final


@dataclass
class Watch:
    """An attempt under watch. Times are of this process's monotonic clock."""

    held: Held
    deadline: float
    may_repeat: bool
    reason: str = ""
    kill_at: float | None = None


@dataclass
class Client:
    """A process of the worker."""

    connection: socket.socket
    pid: int = 0
    is_main: bool = False
    lines: LineBuffer = field(default_factory=LineBuffer)
    claiming: set[tuple[str, int]] = field(default_factory=set)
    watches: dict[Held, Watch] = field(default_factory=dict)


class Keeper:
    """One worker's keeper. `run` returns when the worker's main process is gone."""

    def __init__(self, settings: Message) -> None:
        self.owner: str = settings["owner"]
        self.heartbeat_s: float = settings["heartbeat_s"]
        self.grace_s: float = settings["stop_grace_s"]
        self.main_pid: int = os.getppid()
        database = Database(settings["database_url"], name=f"perdure-keeper {self.owner}", size=1)
        unsaid = Unsaid()
        self.attempts = Attempts(database, unsaid, unsaid, lease_s=settings["lease_s"], resend_s=0)
        self.sweep = Sweep(database, unsaid, unsaid, lease_s=settings["lease_s"], resend_s=0)
        self.session = WorkerSession(settings["database_url"], self.owner, settings["name"], self.main_pid)
        self.selector = selectors.DefaultSelector()
        self.server = socket.socket(fileno=settings["listener"])
        self.selector.register(self.server, selectors.EVENT_READ)
        self.clients: dict[socket.socket, Client] = {}
        self.ends: list[tuple[Held, Outcome]] = []
        self.unheard: list[tuple[str, int]] = []
        self.drain_at: float | None = None
        self.next_beat = 0.0
        self.session_fd: int | None = None

    def run(self) -> None:
        """Serve until the main process is gone and all it held is accounted for."""
        while self._main_lives() or self.clients or self.ends:
            self._follow_session()
            for key, _ in self.selector.select(self._pause()):
                if key.fileobj is self.server:
                    self._welcome()
                elif isinstance(key.fileobj, socket.socket):
                    self._read(self.clients[key.fileobj])
            if self.session.heard_stop():
                self.next_beat = 0.0
            self._beat()
            self._enforce()
            self._settle()
        self.session.close()

    # Sockets

    def _pause(self) -> float:
        now = time.monotonic()
        times = [self.next_beat] if self._watches() else [now + self.heartbeat_s]
        times += [watch.kill_at or watch.deadline for watch in self._watches()]
        if self.drain_at is not None:
            times.append(self.drain_at)
        if self.ends or self.unheard:
            times.append(now + 0.2)
        return max(0.0, min(times) - now)

    def _follow_session(self) -> None:
        """Keep the session open and its descriptor in the selector, so that a stop wakes us at once."""
        self.session.ensure()
        fd = self.session.fileno()
        if fd != self.session_fd:
            if self.session_fd is not None:
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self.selector.unregister(self.session_fd)
            if fd is not None:
                self.selector.register(fd, selectors.EVENT_READ)
            self.session_fd = fd

    def _welcome(self) -> None:
        connection, _ = self.server.accept()
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
            case {"t": "claiming", "run_id": str(run_id), "position": int(position)}:
                client.claiming.add((run_id, position))
            case {"t": "refused", "run_id": str(run_id), "position": int(position)}:
                client.claiming.discard((run_id, position))
            case {"t": "unheard", "run_id": str(run_id), "position": int(position)}:
                client.claiming.discard((run_id, position))
                self.unheard.append((run_id, position))
            case {"t": "hold", "run_id": str(run_id), "held": [run, position, attempt]}:
                client.claiming.discard((run_id, position))
                held = Held(run, position, attempt)
                deadline = time.monotonic() + float(message["timeout_s"])
                client.watches[held] = Watch(held, deadline, bool(message["may_repeat"]))
                if len(self._watches()) == 1:
                    self.next_beat = time.monotonic() + self.heartbeat_s
            case {"t": "drop", "held": [run, position, attempt]}:
                client.watches.pop(Held(run, position, attempt), None)
            case {"t": "drain", "seconds": float(seconds) | int(seconds)}:
                self.drain_at = time.monotonic() + seconds
                for other in self.clients.values():
                    self._say(other, {"t": "draining"})

    def _bury(self, client: Client) -> None:
        """A process of the worker ended its socket: what it held is lost, or was stopped by us."""
        self.selector.unregister(client.connection)
        client.connection.close()
        del self.clients[client.connection]
        # A child that dies while its parent lives died of its step; with the parent, of something else.
        counted = not client.is_main and self._main_lives() and len(client.watches) == 1
        for watch in client.watches.values():
            self.ends.append((watch.held, self._outcome(watch, Lost(counted=counted))))
        self.unheard.extend(client.claiming)

    def _main_lives(self) -> bool:
        return os.getppid() == self.main_pid

    def _say(self, client: Client, message: Message) -> None:
        with contextlib.suppress(OSError):
            client.connection.sendall(encode(message))

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
        if self.drain_at is not None and now >= self.drain_at + DRAIN_GRACE_S + 1 and self._main_lives():
            # Threads that never return keep a process alive for ever; all they held was handed back.
            log.warning("worker did not end in time, killing it", extra={"pid": self.main_pid})
            os.kill(self.main_pid, signal.SIGKILL)

    def _cancel(self, client: Client, watch: Watch, reason: str, grace_s: float) -> None:
        if watch.reason:
            return
        watch.reason, watch.kill_at = reason, time.monotonic() + grace_s
        held = watch.held
        self._say(client, {"t": "cancel", "held": [held.run, held.position, held.attempt], "reason": reason})

    def _terminate(self, client: Client, watch: Watch) -> None:
        """It did not obey. A pool child is killed; a thread cannot be, so its attempt is ended over its head."""
        watch.kill_at = None
        if not client.is_main:
            with contextlib.suppress(ProcessLookupError):
                os.kill(client.pid, signal.SIGKILL)
            return
        client.watches.pop(watch.held)
        self.ends.append((watch.held, self._outcome(watch, Lost(counted=False))))
        self._say(client, {"t": "abandoned"})

    def _outcome(self, watch: Watch, otherwise: Outcome) -> Outcome:
        match watch.reason:
            case "stop":
                return Cancelled()
            case "timeout":
                return Failed(StepError("timeout", "the attempt took longer than its time limit and was terminated"))
            case "drain" if watch.may_repeat:
                return HandedBack()
            case _:
                return otherwise

    def _settle(self) -> None:
        """Write what was found; what cannot be written now is tried again, and the lease stands behind it."""
        try:
            while self.ends:
                self.sweep.end_attempt(*self.ends[0])
                self.ends.pop(0)
            while self.unheard:
                self.sweep.end_unheard(self.owner, *self.unheard[0])
                self.unheard.pop(0)
        except StoreUnavailable:
            if not self._main_lives():
                # Nobody is left to wait for; the janitors of other workers find the leases.
                self.ends.clear()


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    except psutil.Error:
        return False


def main() -> None:
    """Read the settings, keep."""
    # The worker's group is signalled as a whole; the keeper goes when the main process is gone.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = json.loads(sys.stdin.readline())
    configure_logs("warning")
    Keeper(settings).run()


if __name__ == "__main__":
    main()
