"""Start processes in order, bring back those that die, stop all of them in order.

One loop in one thread waits for lifelines to end, for signals and for the next due time. Each process stands behind a
guard, so that none outlives the supervisor, however that ends.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cli.guarded import CommandNotStarted, Guarded, Launch
from cli.process_logs import ProcessLogs
from cli.servers.embedded import ServerNotStarted

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
HEALTHY_AFTER_S = 10.0
ATTEMPTS_TO_START = 5
CHECK_INTERVAL_S = 0.05
LOG_INTERVAL_S = 0.1
CUT_BACK_INTERVAL_S = 10.0


class StackFailed(Exception):
    """A process did not come up at the first start; the message says which, and its last words."""


@dataclass(frozen=True)
class Service:
    """One process of the stack.

    `launch` is asked before each start. `ready` tells when the process serves (None: as soon as it runs). It is first
    started when all in `needs` have been ready once. `once`: it runs to its end and is not started again. Those of a
    higher `stop_order` are stopped after those of a lower one have ended.
    """

    name: str
    launch: Callable[[], Launch]
    ready: Callable[[], bool] | None = None
    needs: tuple[str, ...] = ()
    once: bool = False
    stop_order: int = 0


@dataclass
class _State:
    service: Service
    process: Guarded | None = None
    is_ready: bool = False
    was_ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    attempts: int = 0
    stopping: bool = field(default=False)


class Supervisor:
    """Keeps services running until `stop()`. `run()` is the loop; all other methods may be called from anywhere."""

    def __init__(
        self,
        services: Sequence[Service],
        logs: ProcessLogs,
        *,
        on_change: Callable[[dict[str, int]], None] = lambda pids: None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the services; nothing starts before `run()`.

        `on_change` gets the process id of each running service after every start and end; `on_ready` is called once,
        when all have been ready.
        """
        self._states = {service.name: _State(service) for service in services}
        self._logs = logs
        self._on_change = on_change
        self._on_ready = on_ready
        self._told_ready = False
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._stop = False
        self._kill = False
        self._failure: str | None = None
        self._cut_back_at = 0.0

    def run(self) -> None:
        """Start all and keep them running; returns when all have ended after `stop()` or `kill()`.

        Raises: StackFailed, after all others were stopped, when a service does not come up at the first start.
        """
        try:
            while True:
                self._reap()
                if self._stop:
                    if not self._stop_in_order():
                        break
                else:
                    self._check_ready()
                    self._start_due()
                self._logs.show_new_lines()
                self._wait()
        finally:
            self._logs.show_new_lines()
            self._selector.close()
            self._wake_reader.close()
            self._wake_writer.close()
        if self._failure is not None:
            raise StackFailed(self._failure)

    def stop(self) -> None:
        """End all services in order. Safe in a signal handler."""
        self._stop = True
        self._wake()

    def kill(self) -> None:
        """End all services at once. Safe in a signal handler."""
        self._kill = self._stop = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_writer.send(b"x")

    def _start_due(self) -> None:
        now = time.monotonic()
        for state in self._states.values():
            done = state.service.once and state.was_ready
            needed = all(self._states[name].was_ready for name in state.service.needs)
            if state.process is None and not done and needed and state.start_at <= now:
                self._start(state)

    def _start(self, state: _State) -> None:
        name = state.service.name
        state.attempts += 1
        try:
            launch = state.service.launch()
            with self._logs.open(name) as log:
                state.process = Guarded(launch, log)
        except (CommandNotStarted, ServerNotStarted, OSError) as error:
            self._plan_restart(state, str(error))
            return
        state.started_at = time.monotonic()
        state.is_ready = False
        self._selector.register(state.process.lifeline, selectors.EVENT_READ, state)
        self._tell_change()
        self._check_ready()

    def _check_ready(self) -> None:
        for state in self._states.values():
            if state.process is None or state.is_ready or state.service.once:
                continue
            if state.service.ready is None or state.service.ready():
                self._become_ready(state)

    def _become_ready(self, state: _State) -> None:
        state.is_ready = state.was_ready = True
        state.attempts = 0
        if not self._told_ready and all(each.was_ready for each in self._states.values()):
            self._told_ready = True
            self._on_ready()

    def _reap(self) -> None:
        for state in self._states.values():
            process = state.process
            code = None if process is None else process.poll()
            if process is None or code is None:
                continue
            self._selector.unregister(process.lifeline)
            process.close()
            state.process = None
            state.is_ready = False
            self._tell_change()
            if state.service.once and code == 0:
                self._become_ready(state)
            elif not self._stop:
                self._plan_restart(state, f"ended with status {code}")

    def _plan_restart(self, state: _State, why: str) -> None:
        now = time.monotonic()
        name = state.service.name
        if not state.was_ready and state.attempts >= ATTEMPTS_TO_START:
            self._failure = f"{name} did not start: {why}; {self._logs.last_line(name)} (log: {self._logs.path(name)})"
            self._stop = True
            return
        if state.started_at and now - state.started_at >= HEALTHY_AFTER_S:
            state.pause_s = FIRST_PAUSE_S
        state.start_at = now + state.pause_s
        self._logs.say(f"{name}: {why}; starting it again in {state.pause_s:g} s")
        state.pause_s = min(state.pause_s * 2, LONGEST_PAUSE_S)

    def _stop_in_order(self) -> bool:
        """Stop those whose turn it is; False when all have ended."""
        running = [state for state in self._states.values() if state.process is not None]
        if not running:
            return False
        turn = min(state.service.stop_order for state in running)
        for state in running:
            assert state.process is not None
            if self._kill:
                state.process.kill()
            elif state.service.stop_order == turn and not state.stopping:
                state.stopping = True
                state.process.stop()
        return True

    def _wait(self) -> None:
        now = time.monotonic()
        if now >= self._cut_back_at:
            self._logs.cut_back()
            self._cut_back_at = now + CUT_BACK_INTERVAL_S
        due = [self._cut_back_at]
        if self._logs.shown:
            due.append(now + LOG_INTERVAL_S)
        if not self._stop:
            for state in self._states.values():
                if state.process is None and not (state.service.once and state.was_ready):
                    due.append(max(state.start_at, now + CHECK_INTERVAL_S))
                elif state.process is not None and not state.is_ready:
                    due.append(now + CHECK_INTERVAL_S)
        for key, _events in self._selector.select(max(0.0, min(due) - now)):
            if key.fileobj is self._wake_reader:
                with contextlib.suppress(OSError):
                    self._wake_reader.recv(64)
            elif isinstance(key.data, _State) and key.data.process is not None:
                key.data.process.wait(1.0)  # its lifeline ended: the guard is just leaving

    def _tell_change(self) -> None:
        self._on_change({name: state.process.pid for name, state in self._states.items() if state.process is not None})
