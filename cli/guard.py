"""A small program that runs one command and ends it when whoever started the guard is gone.

The guard holds one end of a socket, the lifeline, whose other end only its parent has. When the parent dies, however
it dies, the lifeline ends and the guard stops the command: first with its stop signal, then, after a grace, with
SIGKILL to the command's whole process group. It needs nothing but the standard library and is run by its path with
`python -I -S`, so that it starts fast and depends on no environment. `cli/guarded.py` is the parent's side.

On the lifeline the guard says the command's process id once, or `!` and why it could not start. The parent may write
`T` (stop) and `K` (kill at once).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Run the command given after `--`; the exit status is its own, or 128 + the signal that ended it."""
    parser = argparse.ArgumentParser(prog="guard")
    parser.add_argument("--name", default="", help="shown in the process list")
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor of the socket to the parent")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds between the stop signal and SIGKILL")
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user", type=int, help="run the command as this user id")
    parser.add_argument("--group", type=int, help="run the command with this group id")
    parser.add_argument("--keep", type=int, action="append", default=[], help="file descriptor the command inherits")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    with socket.socket(fileno=options.lifeline) as lifeline:
        code = _guard(lifeline, options)
    return code if code >= 0 else 128 - code


def _guard(lifeline: socket.socket, options: argparse.Namespace) -> int:
    wake = _wake_on_signals()
    try:
        child = subprocess.Popen(
            options.command,
            start_new_session=True,
            pass_fds=options.keep,
            user=options.user,
            group=options.group,
            extra_groups=None if options.user is None else [],
            preexec_fn=_die_with_guard(options.stop_signal),
        )
    except OSError as error:
        lifeline.sendall(f"!{options.command[0]}: {error.strerror or error}\n".encode())
        return 127
    with contextlib.suppress(OSError):  # the parent may be gone already: the loop sees that next
        lifeline.sendall(f"{child.pid}\n".encode())
    return _watch(child, lifeline, wake, stop_signal=options.stop_signal, grace_s=options.grace)


def _watch(
    child: subprocess.Popen[bytes], lifeline: socket.socket, wake: socket.socket, *, stop_signal: int, grace_s: float
) -> int:
    watched = [lifeline, wake]
    kill_at: float | None = None
    while True:
        code = child.poll()
        if code is not None:
            _kill_group(child.pid)  # what the command left behind in its group ends with it
            return code
        timeout = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select(watched, [], [], timeout)
        stop = wake in ready and any(number != signal.SIGCHLD for number in wake.recv(64))
        if lifeline in ready:
            said = _receive(lifeline)
            if not said:
                watched.remove(lifeline)
            if b"K" in said:
                _kill_group(child.pid)
            stop = stop or not said or b"T" in said
        if stop and kill_at is None:
            # To the command alone: a master such as Celery's or gunicorn's ends its own children in order.
            with contextlib.suppress(OSError):
                child.send_signal(stop_signal)
            kill_at = time.monotonic() + grace_s
        elif kill_at is not None and time.monotonic() >= kill_at:
            _kill_group(child.pid)
            kill_at = time.monotonic() + 1.0


def _wake_on_signals() -> socket.socket:
    """A socket that becomes readable, with the number as a byte, when a signal arrives."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    _KEPT.append(writer)
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    return reader


_KEPT: list[socket.socket] = []


def _receive(lifeline: socket.socket) -> bytes:
    try:
        return lifeline.recv(64)
    except OSError:
        return b""


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _die_with_guard(stop_signal: int) -> Callable[[], None] | None:
    """On Linux, have the kernel send the stop signal to the command if the guard itself is killed."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def set_death_signal() -> None:  # runs after the change of user, which would clear it
        libc.prctl(PR_SET_PDEATHSIG, stop_signal)

    return set_death_signal


if __name__ == "__main__":
    sys.exit(main())
