"""Start a command behind a guard, and hold the lifeline that ends it when this process dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")
START_TIMEOUT_S = 30.0


class CommandNotStarted(Exception):
    """The command could not be started; the message says why."""


@dataclass(frozen=True)
class Account:
    """The user and group a command runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Launch:
    """One command and how it is run and stopped.

    `env` is the whole environment (None: that of this process). `keep_fds` are inherited by the command, `guard_fds`
    by its guard alone.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 5.0
    keep_fds: tuple[int, ...] = ()
    guard_fds: tuple[int, ...] = ()


class Guarded:
    """A running command behind its guard. It ends when this object's process ends, however that happens."""

    def __init__(self, launch: Launch, output: int | IO[bytes]) -> None:
        """Start the command; its output and errors go to `output`.

        Raises: CommandNotStarted when the program is missing or may not be run.
        """
        self.launch = launch
        ours, theirs = socket.socketpair()
        options = ["--name", launch.name, "--lifeline", str(theirs.fileno()), "--grace", str(launch.grace_s)]
        options += ["--stop-signal", str(int(launch.stop_signal))]
        if launch.account is not None:
            options += ["--user", str(launch.account.uid), "--group", str(launch.account.gid)]
        for fd in launch.keep_fds:
            options += ["--keep", str(fd)]
        with theirs:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *options, "--", *launch.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if launch.env is None else dict(launch.env),
                cwd=launch.cwd,
                pass_fds=(theirs.fileno(), *launch.keep_fds, *launch.guard_fds),
                start_new_session=True,  # a Ctrl-C in the terminal is for the supervisor alone
            )
        self._lifeline = ours
        self.pid = self._read_pid()

    def _read_pid(self) -> int:
        self._lifeline.settimeout(START_TIMEOUT_S)
        line = ""
        with contextlib.suppress(TimeoutError), self._lifeline.makefile("rb") as said:
            line = said.readline().decode(errors="replace").strip()
        if not line.isdigit():
            self._guard.kill()
            self._guard.wait()
            self._lifeline.close()
            raise CommandNotStarted(line.removeprefix("!") or f"{self.launch.name}: its guard did not start it")
        return int(line)

    def poll(self) -> int | None:
        """The exit status (128 + signal when a signal ended it), or None while the command runs."""
        code = self._guard.poll()
        if code is None:
            return None
        if code < 0:  # the guard was killed: its command must not outlive it
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        return code if code >= 0 else 128 - code

    @property
    def lifeline(self) -> socket.socket:
        """Readable (at its end) as soon as the guard has ended."""
        return self._lifeline

    def close(self) -> None:
        """Let the lifeline go; what still runs is stopped by its guard."""
        self._lifeline.close()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit status, or None when the command still runs after `timeout_s`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(timeout_s)
        return self.poll()

    def stop(self) -> None:
        """Send the stop signal, and SIGKILL after the grace; returns at once."""
        self._say(b"T")

    def kill(self) -> None:
        """SIGKILL to the command and all its group, at once."""
        self._say(b"K")

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):  # the guard has ended: so has the command
            self._lifeline.sendall(word)
