"""Celery workers without the second of computing that their imports take: forked from a process that has them all.

What a worker is made of is imported once for each process that runs tests, before anything of a worker begins: no
settings are read, nothing is connected, no thread runs. Each worker is then a fork of that, which becomes what
`python -m celery ...` would have become. Those that `perdure up` starts are started as it starts them.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from orchestration.actions.registry import BUNDLED
from settings import ROOT

IS_POSSIBLE = hasattr(os, "pidfd_open")
LARGEST = 1_000_000
# What Celery itself imports only once it has read its command line.
LATER = (
    "billiard.popen_fork",
    "billiard.sharedctypes",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.events.state",
    "celery.fixups.django",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.control",
    "celery.worker.strategy",
    "encodings.idna",
    "kombu.pidbox",
    "kombu.transport.redis",
)


class Process(Protocol):
    """What both kinds of processes are asked for."""

    @property
    def pid(self) -> int: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


def start_celery(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
    """`celery` with these arguments, in a session of its own, its output appended to `log`."""
    with log.open("ab") as output:
        if IS_POSSIBLE:
            return _seed().start(arguments, environment, output.fileno())
        return subprocess.Popen(
            [sys.executable, "-m", "celery", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


class Forked:
    """A process that is not our child; the seed tells us its number and its end."""

    def __init__(self, told: int) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._status: int | None = None
        self.pid = self._read()

    def _read(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            piece = os.read(self._told, 1)
            assert piece, "the process that workers are forked from has ended"
            line += piece
        return int(line)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, negative for a signal. Raises: subprocess.TimeoutExpired."""
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):  # somebody else waits for it
            raise subprocess.TimeoutExpired("celery", timeout or 0)
        try:
            if self._status is None:
                if not select.select([self._told], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("celery", timeout or 0)
                self._status = self._read()
                os.close(self._told)
            return self._status
        finally:
            self._lock.release()

    def send_signal(self, sig: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Seed:
    """The process that workers are forked from. It ends when this one does."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=ROOT,
                env=environment_without_settings(),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> Forked:
        told, tells = os.pipe()
        order = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        try:
            socket.send_fds(self._control, [order], [output, tells])
        finally:
            os.close(tells)
        return Forked(told)


def environment_without_settings() -> dict[str, str]:
    """What finds no servers, also not those of a stack that runs."""
    own = ("DATABASE_URL", "REDIS_URL")
    kept = {key: value for key, value in os.environ.items() if key not in own and not key.startswith("PERDURE_")}
    return kept | {"PERDURE_DATA_DIR": f"{os.devnull}/none"}


@functools.cache
def _seed() -> Seed:
    return Seed()


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork what is asked for, and tell who asked of its end, until nobody is left to ask: then None.

    In what was forked: what it is to be.
    """
    waits = selectors.DefaultSelector()
    waits.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in waits.select():
            if key.fileobj is not control:
                pid, tells = key.data
                waits.unregister(key.fd)
                os.close(key.fd)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                    os.write(tells, b"%d\n" % status)
                os.close(tells)
                continue
            order, fds, _flags, _address = socket.recv_fds(control, LARGEST, 2)
            if not order:
                return None
            output, tells = fds
            pid = os.fork()
            if pid == 0:
                for descriptor in (control.detach(), tells, *(one.fd for one in waits.get_map().values())):
                    with contextlib.suppress(OSError):
                        os.close(descriptor)
                os.setsid()
                os.dup2(output, 1)
                os.dup2(output, 2)
                os.close(output)
                return json.loads(order)  # type: ignore[no-any-return]
            os.close(output)
            os.write(tells, b"%d\n" % pid)
            waits.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, tells))


def main() -> None:
    try:
        importlib.import_module("workers.celery")
    except SystemExit:
        pass  # It has imported what it needs, found no servers, and is itself not there.
    else:
        raise RuntimeError("a worker was made of the settings of this process")
    for module in (*LATER, *BUNDLED):
        importlib.import_module(module)
    gc.freeze()
    order = serve(socket.socket(fileno=int(sys.argv[1])))
    if order is not None:
        os.environ.clear()
        os.environ.update(order["environment"])
        sys.argv = ["celery", *order["arguments"]]
        runpy.run_module("celery", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
