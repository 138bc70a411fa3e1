"""`perdure up`: the whole stack in the foreground, until Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from cli.private_file import make_data_dir, write_private
from cli.process_logs import ProcessLogs
from cli.processes import Processes
from cli.servers.ports import is_free, port_holder
from cli.supervisor import StackFailed, Supervisor
from settings import ENV_PREFIX, STACK_FILE, Settings, variable_of

UP_DRAIN_S = 5.0
LEFTOVERS_TIMEOUT_S = 30.0
# Read by the command line or as secrets, not settings of processes.
OTHER_VARIABLES = ("PERDURE_TOKEN", "PERDURE_URL", "PERDURE_SECRET_")


class CannotStart(Exception):
    """The stack cannot start here; the message is one sentence with what to do."""


class Stack:
    """The processes of one data directory: `run()` in the foreground, or `start()` and `stop()` around other work."""

    def __init__(
        self,
        settings: Settings,
        *,
        terminal: TextIO | None = None,
        with_flower: bool = True,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Name a stack; nothing starts yet. With `terminal`, the processes' logs are shown there as well."""
        if "drain_s" not in settings.model_fields_set:
            settings = settings.model_copy(update={"drain_s": UP_DRAIN_S})
        self.settings = settings
        self._terminal = terminal
        self._with_flower = with_flower
        self._on_ready = on_ready
        self._supervisor: Supervisor | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._stop_asked = False
        self._failure: Exception | None = None

    @property
    def stack_file(self) -> Path:
        return self.settings.data_dir / STACK_FILE

    @property
    def log_dir(self) -> Path:
        return self.settings.data_dir / "logs"

    def run(self) -> None:
        """Run the stack until it is told to stop.

        Raises: CannotStart, StackFailed.
        """
        make_data_dir(self.settings.data_dir)
        logs = ProcessLogs(self.log_dir, self._terminal)
        data_dir = self.settings.data_dir
        with _only_supervisor(data_dir), _no_leftovers(data_dir, logs.say, lambda: self._stop_asked) as lock_fd:
            _check_ports(self.settings, self._with_flower)
            for warning in warnings(self.settings):
                logs.say(f"warning: {warning}")
            processes = Processes(self.settings, guard_fds=(lock_fd,), with_flower=self._with_flower)
            self._supervisor = Supervisor(
                processes.services(),
                logs,
                on_change=lambda pids: self._write_stack_file(processes, pids),
                on_ready=self._become_ready,
            )
            if self._stop_asked:
                self._supervisor.stop()
            try:
                self._supervisor.run()
            finally:
                self.stack_file.unlink(missing_ok=True)

    def start(self, timeout_s: float = 90.0) -> None:
        """Run the stack in a thread; returns when all is ready.

        Raises: CannotStart, StackFailed.
        """
        self._thread = threading.Thread(target=self._run_in_thread, name="supervisor", daemon=True)
        self._thread.start()
        ready = self._ready.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        if not ready:
            self.stop()
            raise StackFailed(f"the stack was not ready within {timeout_s:g} s (logs: {self.log_dir})")

    def stop(self) -> None:
        """End all processes in order; returns when they have ended, if `start()` was used."""
        self._stop_asked = True
        if self._supervisor is not None:
            self._supervisor.stop()
        if self._thread is not None:
            self._thread.join()

    def ask_to_stop(self) -> None:
        """For a signal handler: the first call stops in order, the next one at once."""
        supervisor, again = self._supervisor, self._stop_asked
        self._stop_asked = True
        if supervisor is not None:
            if again:
                supervisor.kill()
            else:
                supervisor.stop()

    def _run_in_thread(self) -> None:
        try:
            self.run()
        except Exception as error:
            self._failure = error
        finally:
            self._ready.set()

    def _become_ready(self) -> None:
        self._ready.set()
        self._on_ready()

    def _write_stack_file(self, processes: Processes, pids: dict[str, int]) -> None:
        known: dict[str, object] = {
            "pid": os.getpid(),
            "web_url": self.settings.web_url,
            "relay_url": self.settings.relay_url,
            "log_dir": str(self.log_dir),
            "processes": pids,
        }
        if self._with_flower:
            known |= {
                "flower_url": f"http://127.0.0.1:{self.settings.flower_port}",
                "flower_user": "perdure",
                "flower_password": processes.flower_password,
            }
        if processes.database_url and processes.redis_url:
            known |= {"database_url": processes.database_url, "redis_url": processes.redis_url}
        write_private(self.stack_file, json.dumps(known, indent=2))


def run_up(settings: Settings, *, terminal: TextIO | None = None, on_ready: Callable[[], None] = lambda: None) -> None:
    """Run the stack in the foreground until Ctrl-C, SIGTERM or SIGHUP; a second Ctrl-C ends it at once.

    `settings` are read with `load_settings(attach=False)`. `on_ready` is called once, when all processes are up.
    Raises: CannotStart, StackFailed.
    """
    stack = Stack(settings, terminal=terminal, on_ready=on_ready)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda _number, _frame: stack.ask_to_stop()) for number in signals}
    try:
        stack.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def warnings(settings: Settings) -> Iterator[str]:
    """What an operator should know before the stack starts."""
    if not _is_loopback(settings.host):
        yield (
            f"{settings.host} is not a loopback address and there is no TLS here: "
            "put a proxy with TLS in front, see docs/operations.md"
        )
    known = {variable_of(name, field) for name, field in Settings.model_fields.items()}
    for name in sorted(os.environ):
        if name.startswith(ENV_PREFIX) and name not in known and not name.startswith(OTHER_VARIABLES):
            yield f"{name} is not a setting; see docs/configuration.md"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_ports(settings: Settings, with_flower: bool) -> None:
    wanted = [("port", settings.host), ("relay_port", settings.host)]
    if with_flower:
        wanted.append(("flower_port", "127.0.0.1"))
    for name, host in wanted:
        port = getattr(settings, name)
        if not is_free(port, host.strip("[]")):
            variable = variable_of(name, Settings.model_fields[name])
            raise CannotStart(f"port {port} is in use by {port_holder(port)}; set {variable} to another one")


@contextlib.contextmanager
def _only_supervisor(data_dir: Path) -> Iterator[None]:
    """Hold the directory as its only supervisor.

    Raises: CannotStart when another one runs.
    """
    with _open_lock(data_dir / "up.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(
                f"perdure already runs on {data_dir} (pid {lock.read().strip() or 'unknown'}); "
                f"stop it, or set {ENV_PREFIX}DATA_DIR to another directory"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextlib.contextmanager
def _no_leftovers(data_dir: Path, say: Callable[[str], None], stopped: Callable[[], bool]) -> Iterator[int]:
    """Wait until no process of an earlier start is left; the lock that the guards of this one shall hold.

    When a supervisor is killed, its guards stop their processes. They hold this lock until they are done.
    Raises: CannotStart when they are not done in time, or when `stopped` meanwhile.
    """
    deadline = time.monotonic() + LEFTOVERS_TIMEOUT_S
    said = False
    with _open_lock(data_dir / "processes.lock") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stopped() or time.monotonic() > deadline:
                    raise CannotStart(f"processes of an earlier start on {data_dir} do not end") from None
            if not said:
                say("waiting for the processes of an earlier start to end")
                said = True
            time.sleep(0.05)
        yield lock.fileno()


def _open_lock(path: Path) -> TextIO:
    """The file, open for its owner only: whoever may open it may hold its lock."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
