"""The servers and processes that the HTTP benchmark measures: those of `perdure up`, started with the same commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.own_stack import own_servers
from cli.guarded import Launch
from cli.processes import Processes
from cli.servers.ports import free_port, free_port_pair, is_free
from schemas.statuses import Role
from settings import Settings

START_S = 30.0


@dataclass(frozen=True)
class Stack:
    """A web process, a relay and the bare app of the comparison, each a gunicorn of its own."""

    database_url: str
    redis_url: str
    web_port: int
    relay_port: int
    floor_port: int
    token: str
    pids: dict[str, int]


@contextmanager
def running_stack() -> Iterator[Stack]:
    """All of it in a directory of its own that is removed afterwards; PostgreSQL with its default durability."""
    with own_servers("http", Role.ADMIN) as own:
        port = free_port_pair()
        settings = Settings(
            data_dir=own.directory,
            port=port,
            database_url=own.database_url,
            redis_url=own.redis_url,
            start_rate_limit="1000000/minute",
        )
        services = {service.name: service for service in Processes(settings, with_flower=False).services()}
        web, relay = services["web"], services["relay"]
        floor_port = free_port()
        pids = own.begin(
            {"web": web.launch(), "relay": relay.launch(), "floor": _floor(web.launch(), port, floor_port)}
        )
        for service in (web, relay):
            assert service.ready is not None
            _await(service.ready, own.directory / f"{service.name}.log")
        _await(lambda: not is_free(floor_port), own.directory / "floor.log")
        yield Stack(own.database_url, own.redis_url, port, settings.relay_port, floor_port, own.token, pids)


def _floor(web: Launch, port: int, floor_port: int) -> Launch:
    """The web process's own command, with another app and port."""
    argv = tuple(part.replace(f":{port}", f":{floor_port}") for part in web.argv[:-1])
    return replace(web, name="floor", argv=(*argv, "bench.http_floor:app"))


def _await(is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not is_ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"a process does not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
