"""What the embedded servers have in common: one owner per data directory, a password, a port, a guard.

A file lock makes the owner unique. The server inherits the open lock, so the directory stays locked while any of its
processes lives, even when its launcher was killed; a process id in a file proves nothing and is never believed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path

from cli.guarded import CommandNotStarted, Guarded, Launch
from cli.private_file import make_data_dir, write_private
from cli.servers.account import server_account
from cli.servers.ports import free_port, is_free, port_holder

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.02


class ServerNotStarted(Exception):
    """An embedded server did not start; the message says why and where its log is."""


class EmbeddedServer(ABC):
    """A server in a data directory. `start()` starts it, or attaches to the one that runs there already."""

    name: str
    unreachable: tuple[type[Exception], ...]
    """What `check()` raises while the server does not answer."""

    def __init__(self, data_dir: Path | str, *, fsync: bool = True) -> None:
        """Name a server; nothing is started or written yet.

        `fsync=False` is for tests: data survives the death of the server, not that of the machine.
        """
        self.data_dir = Path(data_dir).absolute()
        self.fsync = fsync
        self.account = server_account()
        self.port = 0
        self.password = ""
        self._lock_fd = -1
        self._process: Guarded | None = None

    @property
    def log_path(self) -> Path:
        return self.data_dir / f"{self.name}.log"

    @property
    def owned(self) -> bool:
        """True when this object started the server, False when it only attached to it."""
        return self._lock_fd >= 0

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise ServerNotStarted(f"{self.name} in {self.data_dir} was not started here")
        return self._process.pid

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, with the password."""

    @abstractmethod
    def launch(self) -> Launch:
        """Prepare the data directory and say how the server is run on `self.port`."""

    @abstractmethod
    def check(self) -> None:
        """Return when the server answers a query; raise any exception when it does not (yet)."""

    def start(self, timeout_s: float = START_TIMEOUT_S) -> str:
        """Start or attach; the URL once a query was answered.

        Raises: ServerNotStarted.
        """
        deadline = time.monotonic() + timeout_s
        while not self.lock():
            # A server that is just dying holds the lock for a moment too: look again until it answers or lets go.
            if self._attach():
                return self.url
            if time.monotonic() > deadline:
                raise ServerNotStarted(f"{self.data_dir} is in use by another {self.name} that does not answer")
            time.sleep(POLL_S)
        try:
            return self._start_owned(deadline)
        except BaseException:
            self.kill()
            self.release()
            raise

    def _start_owned(self, deadline: float) -> str:
        fixed = self.port != 0
        for _attempt in range(5):
            launch = self.prepare()
            try:
                with self.log_path.open("ab") as log:
                    self._process = Guarded(launch, log)
            except CommandNotStarted as error:
                raise ServerNotStarted(str(error)) from error
            if self._answers_before(deadline):
                return self.url
            if not fixed:
                self.port = 0  # somebody may have taken the port since: choose again
        raise ServerNotStarted(f"{self.name} does not start: {self._last_log_line()} (log: {self.log_path})")

    def _answers_before(self, deadline: float) -> bool:
        """True once the server answers, False when it has ended.

        Raises: ServerNotStarted at the deadline.
        """
        while True:
            if self.ready():
                return True
            if self._process is None or self._process.poll() is not None:
                return False
            if time.monotonic() > deadline:
                raise ServerNotStarted(f"{self.name} does not answer: {self._last_log_line()} (log: {self.log_path})")
            time.sleep(POLL_S)

    def prepare(self) -> Launch:
        """Write what the server needs and say how to run it. The caller holds the lock (`lock()`).

        The first time, the port of the last start is taken if it is free; after that the port stays, since clients
        know it. Raises: ServerNotStarted when it was taken meanwhile.
        """
        if self.port == 0:
            saved = self._saved_port()
            self.port = saved if saved and is_free(saved) else free_port()
        elif not is_free(self.port):
            raise ServerNotStarted(f"port {self.port} of {self.name} is in use by {port_holder(self.port)}")
        self.password = self._saved_password()
        launch = self.launch()
        write_private(self.data_dir / "port", str(self.port))
        return launch

    def relaunch(self) -> Launch:
        """Like `prepare()`, once no process of the server that ran before is left.

        Raises: ServerNotStarted when one is, or another launcher has the directory: try again later.
        """
        self.release()
        if not self.lock():
            raise ServerNotStarted(f"{self.data_dir} is in use by another {self.name}")
        return self.prepare()

    def ready(self) -> bool:
        """True when the server answers a query."""
        try:
            self.check()
        except self.unreachable:
            return False
        return True

    def _attach(self) -> bool:
        """Take port and password from the directory; True when the server that runs there answers."""
        self.port = self.port or self._saved_port()
        with contextlib.suppress(OSError):
            self.password = (self.data_dir / "password").read_text()
        return bool(self.port and self.password) and self.ready()

    def stop(self) -> None:
        """End the server in order and let the directory go. One that was only attached to is left alone."""
        if self._process is not None:
            self._process.stop()
            self._process.wait(STOP_TIMEOUT_S)
            self._process.close()
            self._process = None
        self.release()

    def kill(self) -> None:
        """SIGKILL the server: for tests. The directory stays ours; `restart()` brings it back."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)
            self._process.close()
            self._process = None

    def restart(self) -> str:
        """Start again on the same port after `kill()`, or stop in order and start again.

        Raises: ServerNotStarted, also when somebody has taken the port meanwhile.
        """
        self.stop()
        return self.start()

    def lock(self) -> bool:
        """Become the owner of the directory; False when another process is."""
        if self.owned:
            return True
        make_data_dir(self.data_dir)
        fd = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._lock_fd = fd
        return True

    def release(self) -> None:
        """Let the directory go (the server keeps it locked as long as it lives)."""
        if self.owned:
            os.close(self._lock_fd)
            self._lock_fd = -1

    @property
    def lock_fd(self) -> int:
        """The open lock, for the server to inherit."""
        return self._lock_fd

    def _saved_port(self) -> int:
        try:
            return int((self.data_dir / "port").read_text())
        except (OSError, ValueError):
            return 0

    def _saved_password(self) -> str:
        path = self.data_dir / "password"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24))
        return path.read_text()

    def _last_log_line(self) -> str:
        try:
            lines = self.log_path.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"
