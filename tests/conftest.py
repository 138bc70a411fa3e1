"""Real servers for the tests: started once per session, a fresh database for each test, nothing left behind."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import hypothesis
import pytest
import redis
from xdist.scheduler import LoadFileScheduling

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from cli.servers.postgres import create_database, drop_database
from cli.servers.valkey import DATABASES
from settings import ROOT, default_data_dir
from tests.support.model_peer import ModelServer

# How long an example takes is said by a benchmark; on a busy machine any of them may take long.
hypothesis.settings.register_profile("perdure", deadline=None)
hypothesis.settings.load_profile("perdure")

TEMPLATE = "migrated"
BROWSER = Path(__file__).parent / "browser"
WITH_BROWSER = 2
# What a test that is marked as slow takes, unless its mark says how many seconds.
USUALLY_S = 5
T = TypeVar("T")

_database_numbers = itertools.cycle(range(1, DATABASES))


class BrowsersApart(LoadFileScheduling):
    """Files in their order, but those with a browser in few processes, where they share a stack and a browser."""

    def _assign_work_unit(self, node: Any) -> None:
        has_browser = node in self.nodes[:WITH_BROWSER]
        suits = (scope for scope in self.workqueue if scope.startswith("tests/browser/") == has_browser)
        if (first := next(suits, None)) is not None:
            self.workqueue.move_to_end(first, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BrowsersApart | None:
    """What gives files to processes, where each file is to stay in one: `--dist loadfile`."""
    return BrowsersApart(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Among several processes, files that kill and wait begin first: begun last, one would go on alone at the end.

    Those with a browser stay together: they share a stack, which ends with the last.
    Needs `--no-loadscope-reorder`; otherwise xdist begins with the files that have the most tests, which are the quick.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        seconds: Counter[Path] = Counter()
        for item in items:
            slow = item.get_closest_marker("slow")
            usual = USUALLY_S if slow or item.get_closest_marker("fault") else 0
            seconds[item.path] += slow.args[0] if slow and slow.args else usual
        items.sort(key=lambda item: (BROWSER not in item.path.parents, -seconds[item.path]))


class Eventually(Protocol):
    """Wait until `predicate` gives something true and return that; fail after `timeout_s` with what it gave last."""

    def __call__(self, predicate: Callable[[], T], timeout_s: float = 30.0, interval_s: float = 0.02) -> T: ...


# Started from a background job, this process ignores Ctrl-C, and so would all it starts.
with contextlib.suppress(ValueError):
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where Python is told to write no bytecode, each of the hundreds of processes that tests start would compile all that
# it imports, which takes more than a second. So it is written, for this process and all it starts, beside the sources.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside(session_dir: Path) -> Iterator[None]:
    """Tests see no server, setting, proxy or running stack of the machine they run on."""
    kept = {key: value for key, value in os.environ.items() if _is_outside_setting(key)}
    for key in kept:
        del os.environ[key]
    os.environ["PERDURE_DATA_DIR"] = str(session_dir / "up")
    yield
    del os.environ["PERDURE_DATA_DIR"]
    os.environ.update(kept)


def _is_outside_setting(key: str) -> bool:
    known = key in ("DATABASE_URL", "REDIS_URL", "DISABLE_TASK_WORKER")
    return known or key.startswith(("PERDURE_", "PG", "OTEL_")) or key.lower().endswith("_proxy")


@pytest.fixture(scope="session")
def session_dir() -> Iterator[Path]:
    """A directory on disk of this test session, which is removed afterwards; so are those of killed sessions."""
    yield from _session_directory(default_data_dir("tests"))


@pytest.fixture(scope="session")
def fast_dir() -> Iterator[Path]:
    """Like `session_dir`, in memory where there is room: a new database takes 15 ms there, and 50 to 300 on disk."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 1024**3
    home = memory / f"perdure-{default_data_dir('tests').parent.name}-{os.geteuid()}"
    yield from _session_directory(home if roomy else default_data_dir("tests"))


def _session_directory(home: Path) -> Iterator[Path]:
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    for left in home.iterdir():
        pid = left.name.partition("-")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    directory = home / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


@pytest.fixture(scope="session")
def postgres_server(fast_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The PostgreSQL of this session, without fsync. Tests that kill it take `private_postgres`."""
    server = EmbeddedPostgres(fast_dir / "postgres", fsync=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey_server(fast_dir: Path) -> Iterator[EmbeddedValkey]:
    """The Valkey of this session. Tests that kill or wipe it take `private_valkey`."""
    server = EmbeddedValkey(fast_dir / "valkey", fsync=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a migrated database that is copied for each test."""
    from orchestration.store.migrate import migrate

    create_database(postgres_server.url, TEMPLATE)
    migrate(postgres_server.url_of(TEMPLATE))
    return TEMPLATE


def _fresh_database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    create_database(server.url, name, template, by_files=True)
    yield server.url_of(name)
    drop_database(server.url, name)


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated, empty database of this test alone."""
    yield from _fresh_database(postgres_server, migrated_template)


@pytest.fixture(scope="module")
def module_database_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The URL of a migrated database shared by the tests of one module."""
    yield from _fresh_database(postgres_server, migrated_template)


@pytest.fixture
def redis_url(valkey_server: EmbeddedValkey) -> str:
    """The URL of an empty numbered Valkey database. Publish/subscribe is shared by all of them."""
    return _empty_database(valkey_server)


@pytest.fixture(scope="module")
def module_redis_url(valkey_server: EmbeddedValkey) -> str:
    """Like `redis_url`, shared by the tests of one module."""
    return _empty_database(valkey_server)


def _empty_database(server: EmbeddedValkey) -> str:
    url = server.url_of(next(_database_numbers))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture
def private_postgres(session_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this test alone, with fsync and migrated: it may be killed and restarted."""
    from orchestration.store.migrate import migrate

    directory = session_dir / f"postgres-{uuid.uuid4().hex[:8]}"
    server = EmbeddedPostgres(directory)
    migrate(server.start())
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def private_valkey(session_dir: Path) -> Iterator[EmbeddedValkey]:
    """A Valkey of this test alone: it may be killed, wiped and restarted."""
    directory = session_dir / f"valkey-{uuid.uuid4().hex[:8]}"
    server = EmbeddedValkey(directory)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def model_server_process() -> Iterator[ModelServer]:
    """The stand-in model server of this session. Tests take `model_server`."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def model_server(model_server_process: ModelServer) -> ModelServer:
    """A server that speaks OpenAI's chat completions, a process of its own that has seen no request yet."""
    model_server_process.reset()
    return model_server_process


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait for something to become true; a failed assertion inside counts as not yet."""
    return _eventually


def _eventually(predicate: Callable[[], T], timeout_s: float = 30.0, interval_s: float = 0.02) -> T:
    deadline = time.monotonic() + timeout_s
    while True:
        last: object = None
        try:
            last = value = predicate()
            if value:
                return value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s; last: {last!r}")
        time.sleep(interval_s)
