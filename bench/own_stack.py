"""Servers and processes of a benchmark's own, in a directory that is removed afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.guarded import Guarded, Launch
from cli.servers import EmbeddedPostgres, EmbeddedValkey
from orchestration.store.accounts import add_token, new_secret
from orchestration.store.database import Database
from orchestration.store.migrate import migrate
from schemas.statuses import Role
from settings import default_data_dir


@dataclass(frozen=True)
class OwnServers:
    """PostgreSQL with its default durability, migrated, and Valkey. What `stack` is given ends before them."""

    directory: Path
    database_url: str
    redis_url: str
    token: str
    stack: ExitStack

    def begin(self, launches: Mapping[str, Launch]) -> dict[str, int]:
        """Start processes, whose logs go to the directory; their ids."""
        pids = {}
        for name, launch in launches.items():
            process = Guarded(launch, self.stack.enter_context((self.directory / f"{name}.log").open("ab")))
            self.stack.callback(process.close)
            self.stack.callback(process.wait, 15)
            self.stack.callback(process.stop)
            pids[name] = process.pid
        return pids


@contextmanager
def own_servers(name: str, role: Role) -> Iterator[OwnServers]:
    """The servers, with a token of this role."""
    home = default_data_dir("bench")
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=home))
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
            add_token(database, name="bench", user_name="bench", role=role, secret=token)
        yield OwnServers(directory, postgres.url, valkey.url, token, stack)
