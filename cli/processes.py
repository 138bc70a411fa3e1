"""The processes of the stack: how each is started, when it is ready, what it must wait for."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from cli.guarded import Launch
from cli.private_file import write_private
from cli.servers import EmbeddedPostgres, EmbeddedServer, EmbeddedValkey
from cli.supervisor import Service
from settings import ROOT, Settings, variable_of

CHECK_TIMEOUT_S = 0.5
# Workers get their drain time, and these seconds to hand back what is left.
HAND_BACK_S = 3.0


@dataclass
class Processes:
    """Builds the services of one stack. `guard_fds` are held open by every guard."""

    settings: Settings
    guard_fds: tuple[int, ...] = ()
    with_flower: bool = True
    postgres: EmbeddedPostgres | None = None
    valkey: EmbeddedValkey | None = None
    flower_password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    def __post_init__(self) -> None:
        data_dir = self.settings.data_dir
        if not self.settings.database_url:
            self.postgres = EmbeddedPostgres(data_dir / "postgres")
        if not self.settings.redis_url:
            self.valkey = EmbeddedValkey(data_dir / "valkey")

    @property
    def database_url(self) -> str:
        """Empty until the embedded server was started for the first time; so is `redis_url`."""
        return _url(self.postgres) if self.postgres else self.settings.database_url

    @property
    def redis_url(self) -> str:
        return _url(self.valkey) if self.valkey else self.settings.redis_url

    def services(self) -> list[Service]:
        """All services, servers first."""
        servers = [self._server(server) for server in (self.postgres, self.valkey) if server is not None]
        migration = Service(
            "migrate",
            lambda: self._python("migrate", "-m", "cli.migrate"),
            needs=tuple(server.name for server in servers),
            once=True,
        )
        return [*servers, migration, *self._programs()]

    def _server(self, server: EmbeddedServer) -> Service:
        return Service(
            server.name,
            lambda: replace(server.relaunch(), guard_fds=self.guard_fds),
            ready=server.ready,
            stop_order=1,
        )

    def _programs(self) -> Iterator[Service]:
        s = self.settings
        yield self._service("web", self._web, _answers(s.web_url + "/healthz"))
        yield self._service("relay", self._relay, _answers(s.relay_url + "/healthz"))
        if not s.disable_task_worker:
            yield self._service("worker-interactive", self._worker_interactive)
            yield self._service("worker-io", self._worker_io)
            yield self._service("worker-cpu-interactive", self._worker_cpu_interactive)
            yield self._service("worker-cpu", self._worker_cpu)
        if self.with_flower:
            yield self._service("flower", self._flower, _answers(f"http://127.0.0.1:{s.flower_port}/healthcheck"))

    def _service(self, name: str, launch: Callable[[], Launch], ready: Callable[[], bool] | None = None) -> Service:
        return Service(name, launch, ready=ready, needs=("migrate",))

    def _web(self) -> Launch:
        arguments = ["-k", "gthread", "--preload", "--workers", "1", "--threads", "16", "--graceful-timeout", "5"]
        return self._gunicorn("web", arguments, self.settings.port, "api.wsgi:app")

    def _relay(self) -> Launch:
        arguments = ["-k", "gevent", "-w", "1", "--worker-connections", "8000", "--backlog", "4096"]
        # Open sockets never end by themselves: without this, gunicorn waits 30 s for them.
        arguments += ["--graceful-timeout", "3"]
        return self._gunicorn("relay", arguments, self.settings.relay_port, "api.relay_wsgi:app")

    def _gunicorn(self, name: str, arguments: list[str], port: int, application: str) -> Launch:
        host = self.settings.host
        bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # The control socket would lie in the home directory, one for all clones.
        common = ["-m", "gunicorn", "--no-control-socket", "--logger-class", "api.server_log.ServerLog"]
        common += ["--name", f"perdure-{name}", "-b", bind]
        common += ["--log-level", self.settings.log_level]
        return self._python(name, *common, *arguments, application, grace_s=7.0)

    def _worker_io(self) -> Launch:
        threads = str(self.settings.worker_threads)
        return self._worker("worker-io", "--pool", "threads", "-c", threads, "-Q", "default,ssh,http", "-n", "io@%h")

    def _worker_interactive(self) -> Launch:
        threads = str(self.settings.interactive_threads)
        arguments = ["--pool", "threads", "-c", threads, "-Q", "interactive", "-n", "interactive@%h"]
        return self._worker("worker-interactive", *arguments)

    def _worker_cpu(self) -> Launch:
        processes = str(self.settings.worker_processes)
        return self._worker("worker-cpu", "--pool", "prefork", "-c", processes, "-Q", "killable", "-n", "cpu@%h")

    def _worker_cpu_interactive(self) -> Launch:
        processes = str(self.settings.interactive_processes)
        arguments = ["--pool", "prefork", "-c", processes, "-Q", "killable-interactive", "-n", "cpu-interactive@%h"]
        return self._worker("worker-cpu-interactive", *arguments)

    def _worker(self, name: str, *arguments: str) -> Launch:
        start = ["-m", "celery", "-A", "workers", "worker", "--loglevel", self.settings.log_level]
        start += ["--without-gossip", "--without-mingle"]  # nothing here asks other workers; starting is faster
        return self._python(name, *start, *arguments, grace_s=self.settings.drain_s + HAND_BACK_S)

    def _flower(self) -> Launch:
        config = self.settings.data_dir / "flowerconfig.py"
        write_private(config, f"basic_auth = [{json.dumps('perdure:' + self.flower_password)}]\n")
        arguments = ["-m", "celery", "-A", "workers", "flower", "--address=127.0.0.1"]
        arguments += [f"--port={self.settings.flower_port}", f"--conf={config}"]
        return self._python("flower", *arguments, grace_s=3.0)

    def _python(self, name: str, *arguments: str, grace_s: float = 5.0) -> Launch:
        return Launch(
            name=name,
            argv=(sys.executable, *arguments),
            env=os.environ | self._environment(),
            cwd=ROOT,
            grace_s=grace_s,
            guard_fds=self.guard_fds,
        )

    def _environment(self) -> dict[str, str]:
        urls = {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "PYTHONUNBUFFERED": "1"}
        return environment_of(self.settings) | urls


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment variables that give another process these settings; defaults are left out."""
    names = settings.model_fields_set | {"data_dir", "port", "relay_port", "flower_port"}
    values = {name: getattr(settings, name) for name in sorted(names)}
    fields = type(settings).model_fields
    return {variable_of(name, fields[name]): _text(value) for name, value in values.items() if value is not None}


def _url(server: EmbeddedServer) -> str:
    return server.url if server.port else ""


def _text(value: object) -> str:
    match value:
        case bool():
            return str(int(value))
        case tuple():
            return ",".join(value)
        case dict():
            return json.dumps(value)
        case str() | int() | float() | Path():
            return str(value)
    raise TypeError(f"a setting of type {type(value).__name__} has no form as a variable")


def _answers(url: str) -> Callable[[], bool]:
    """A check that the address answers an HTTP request; never through a proxy."""
    parts = urlsplit(url)

    def check() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=CHECK_TIMEOUT_S)
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check
