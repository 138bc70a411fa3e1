"""Syncing directories, both ways and by both methods."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import ActionCancelled, Permanent, Result, Retryable
from orchestration.actions.registry import load_actions
from tests.support.action_context import RecordingServices
from tests.support.sandbox_host import SandboxHost
from tests.support.tcp_proxy import TcpProxy

METHODS = [
    "sftp",
    pytest.param("rsync", marks=pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")),
]


def sync(ctx: ActionContext, **params: Any) -> Result:
    declared = load_actions()["ssh.sync_instance"]
    result = declared.function(ctx, declared.params.model_validate(params))
    assert isinstance(result, Result)
    return result


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def source(sandbox: SandboxHost, request: pytest.FixtureRequest) -> Path:
    """A directory in the sync root, named after the test."""
    folder: Path = sandbox.settings()["sync_root"] / f"from {abs(hash(request.node.name))}"
    (folder / "sub dir" / "deep").mkdir(parents=True)
    (folder / "a file").write_bytes(b"a" * 100_000)
    (folder / "sub dir" / "é").write_bytes(b"b" * 10)
    (folder / "sub dir" / "deep" / "empty").touch()
    (folder / "secret-link").symlink_to("/etc/passwd")
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_a_directory_goes_there_and_back_and_the_second_time_nothing_is_copied(
    sandbox: SandboxHost, source: Path, method: str
):
    remote = f"~/synced {source.name}"
    for copied in (3, 0):
        said = RecordingServices()
        result = sync(sandbox.context(said), local=source.name, remote=remote, method=method)
        assert result.details == {"files": 3, "copied": copied, "method": method, "direction": "push"}
        assert said.said[-1].percent == 100
    there = sandbox.home / remote.removeprefix("~/")
    assert tree(there) == {name: data for name, data in tree(source).items() if name != "secret-link"}
    back = f"{source.name} back"
    for copied in (3, 0):
        result = sync(sandbox.context(), local=back, remote=remote, method=method, direction="pull")
        assert result.details["copied"] == copied
    assert tree(source.parent / back) == tree(there)


@pytest.mark.parametrize("method", METHODS)
def test_what_a_sync_carries_is_counted(sandbox: SandboxHost, source: Path, method: str):
    (source / "noise").write_bytes(random.Random(1).randbytes(300_000))
    said = RecordingServices()
    sync(sandbox.context(said), local=source.name, remote=f"~/counted {source.name} {method}", method=method)
    assert 300_000 < sum(sent for sent, _ in said.network) < 700_000
    assert sum(received for _, received in said.network) > 0


@pytest.mark.parametrize("method", METHODS)
def test_only_what_changed_is_copied(sandbox: SandboxHost, source: Path, method: str):
    params = {"local": source.name, "remote": f"~/changed {source.name}", "method": method}
    sync(sandbox.context(), **params)
    (source / "a file").write_bytes(b"c" * 50)
    assert sync(sandbox.context(), **params).details["copied"] == 1
    assert (sandbox.home / f"changed {source.name}" / "a file").read_bytes() == b"c" * 50


def test_one_file_is_put_into_the_directory(sandbox: SandboxHost, source: Path):
    sync(sandbox.context(), local=f"{source.name}/a file", remote="~/single", method="sftp")
    assert tree(sandbox.home / "single") == {"a file": b"a" * 100_000}
    sync(sandbox.context(), local=f"{source.name} one", remote="~/single/a file", method="sftp", direction="pull")
    assert tree(source.parent / f"{source.name} one") == {"a file": b"a" * 100_000}


@pytest.mark.parametrize("local", ["../outside", "/etc", "out", "out/deeper", "missing"])
def test_the_local_side_stays_inside_its_root(sandbox: SandboxHost, local: str):
    link = sandbox.settings()["sync_root"] / "out"
    if not link.is_symlink():
        link.symlink_to("/etc")
    with pytest.raises(Permanent, match="PERDURE_SYNC_ROOT"):
        sync(sandbox.context(), local=local, remote="~/x")


def test_without_a_root_nothing_is_synced(sandbox: SandboxHost):
    with pytest.raises(Permanent, match="PERDURE_SYNC_ROOT"):
        sync(sandbox.context(settings={"sync_root": None}), local="a", remote="~/x")


def test_a_pull_does_not_write_through_links(sandbox: SandboxHost, source: Path, tmp_path: Path):
    sync(sandbox.context(), local=source.name, remote=f"~/through {source.name}", method="sftp")
    back = source.parent / f"{source.name} through"
    back.mkdir()
    (back / "sub dir").symlink_to(tmp_path)
    params = {"local": back.name, "remote": f"~/through {source.name}", "method": "sftp", "direction": "pull"}
    with pytest.raises(Permanent, match="through a link"):
        sync(sandbox.context(), **params)
    assert list(tmp_path.iterdir()) == []


def test_what_the_host_lacks_or_forbids_is_not_tried_again(sandbox: SandboxHost):
    for remote in ("~/no such directory", "/etc/ssl"):
        with pytest.raises(Permanent, match="refused"):
            sync(sandbox.context(), local="pulled", remote=remote, method="sftp", direction="pull")


def test_after_a_cut_link_a_file_is_gone_on_with(sandbox: SandboxHost, proxy: TcpProxy, source: Path):
    data = os.urandom(1024) * 16 * 1024
    (source / "big").write_bytes(data)
    params = {"local": source.name, "remote": f"~/cut {source.name}", "method": "sftp"}
    said = RecordingServices()
    ctx = sandbox.context(said, port=proxy.port)
    before = said.progress

    def watch(progress: Any) -> None:
        before(progress)
        if 20 < (progress.percent or 0) < 90:
            proxy.cut()

    said.progress = watch  # type: ignore[method-assign]
    with pytest.raises(Retryable):
        sync(ctx, **params)
    part = next((sandbox.home / f"cut {source.name}").glob(".big*.perdure-part"))
    assert 0 < part.stat().st_size < len(data)
    inode = part.stat().st_ino
    sync(sandbox.context(), **params)
    there = sandbox.home / f"cut {source.name}" / "big"
    assert there.stat().st_ino == inode
    assert there.read_bytes() == data


@pytest.mark.parametrize("method", METHODS)
def test_a_sync_can_be_stopped(sandbox: SandboxHost, source: Path, method: str):
    (source / "big").write_bytes(os.urandom(1024) * 32 * 1024)
    said = RecordingServices()
    ctx = sandbox.context(said)
    before = said.progress

    def watch(progress: Any) -> None:
        before(progress)
        if (progress.percent or 0) > 0:
            ctx.token.cancel("stop")

    said.progress = watch  # type: ignore[method-assign]
    with pytest.raises(ActionCancelled):
        sync(ctx, local=source.name, remote=f"~/stop {source.name}", method=method)
