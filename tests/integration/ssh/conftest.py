from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox_host import SandboxHost
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture(scope="session")
def real_home() -> tuple[Path, dict[str, tuple[int, int]]]:
    """The home of whoever runs the tests, and what lay in it before the sandbox was used."""
    home = Path.home()
    return home, listing(home)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory, real_home: object) -> Iterator[SandboxHost]:
    with SandboxHost.start(tmp_path_factory.mktemp("sandbox")) as host:
        yield host


@pytest.fixture
def proxy(sandbox: SandboxHost) -> Iterator[TcpProxy]:
    with TcpProxy(sandbox.facts["host"], sandbox.facts["port"]) as proxy:
        yield proxy


def listing(home: Path) -> dict[str, tuple[int, int]]:
    """Names, sizes and times of what lies in a home and in the folders that shells, pip and git write to."""
    found = {}
    for folder in (home, home / ".config", home / ".ssh", home / ".local", home / ".local" / "bin"):
        if folder.is_dir():
            for path in folder.iterdir():
                state = path.lstat()
                found[str(path)] = (state.st_size, state.st_mtime_ns) if path.is_file() else (0, 0)
    return found
