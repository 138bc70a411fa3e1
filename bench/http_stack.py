"""The servers and processes that the HTTP benchmark measures: those of `perdure up`, started with the same commands."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cli.guarded import Guarded, Launch
from cli.processes import Processes
from cli.servers import EmbeddedPostgres, EmbeddedValkey
from cli.servers.ports import free_port, free_port_pair, is_free
from orchestration.store.accounts import add_token, new_secret
from orchestration.store.database import Database
from orchestration.store.migrate import migrate
from schemas.statuses import Role
from settings import Settings, default_data_dir

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
    home = default_data_dir("bench")
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    directory = Path(tempfile.mkdtemp(prefix="http-", dir=home))
    directory.chmod(0o711)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        postgres, valkey = EmbeddedPostgres(directory / "postgres"), EmbeddedValkey(directory / "valkey")
        for server in (postgres, valkey):
            stack.callback(server.stop)
            server.start()
        migrate(postgres.url)
        token = new_secret()
        with closing(Database(postgres.url, size=1)) as database:
            add_token(database, name="bench", user_name="bench", role=Role.ADMIN, secret=token)
        port = free_port_pair()
        settings = Settings(
            data_dir=directory,
            port=port,
            database_url=postgres.url,
            redis_url=valkey.url,
            start_rate_limit="1000000/minute",
        )
        services = {service.name: service for service in Processes(settings, with_flower=False).services()}
        web, relay = services["web"], services["relay"]
        floor_port = free_port()
        pids = {}
        for name, launch in (
            ("web", web.launch()),
            ("relay", relay.launch()),
            ("floor", _floor(web.launch(), port, floor_port)),
        ):
            process = Guarded(launch, stack.enter_context((directory / f"{name}.log").open("ab")))
            stack.callback(process.close)
            stack.callback(process.wait, 15)
            stack.callback(process.stop)
            pids[name] = process.pid
        for service in (web, relay):
            assert service.ready is not None
            _await(service.ready, directory / f"{service.name}.log")
        _await(lambda: not is_free(floor_port), directory / "floor.log")
        yield Stack(postgres.url, valkey.url, port, settings.relay_port, floor_port, token, pids)


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
