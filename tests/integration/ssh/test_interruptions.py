"""Installing custom nodes while the link is cut, the worker leaves, or the run is stopped."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import ActionCancelled, Result, Retryable
from orchestration.actions.registry import load_actions
from tests.conftest import Eventually
from tests.support.action_context import RecordingServices
from tests.support.sandbox_host import SandboxHost
from tests.support.tcp_proxy import TcpProxy

NAMES = ("upscaler", "controlnet-aux", "impact-pack", "manager")


def install(ctx: ActionContext, sandbox: SandboxHost, directory: str) -> Result:
    declared = load_actions()["ssh.install_custom_nodes"]
    nodes = [{"name": name, "url": f"file://{sandbox.facts['repositories']}/{name}.git"} for name in NAMES]
    params = {"nodes": nodes, "directory": directory, "requirements": "skip", "max_parallel": 2}
    result = declared.function(ctx, declared.params.model_validate(params))
    assert isinstance(result, Result)
    return result


@pytest.fixture
def slow_git(sandbox: SandboxHost) -> Iterator[Path]:
    """Makes cloning take a second on the host, and writes down each clone that begins."""
    log = sandbox.home / "clones.log"
    log.write_text("")
    git = sandbox.home.parent / "bin" / "git"
    git.write_text(
        f'#!/bin/sh\nif [ "$1" = clone ]; then echo "$*" >> {log}; sleep 1; fi\nexec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o755)
    yield log
    git.unlink()


def begun(services: RecordingServices) -> bool:
    return any(item.state == "active" for progress in services.said for item in progress.items or ())


def remote_commands(sandbox: SandboxHost) -> list[str]:
    """Detached commands that live on the sandbox host; their command line names their directory."""
    listed = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if f"{sandbox.home}/.perdure/" in line]


def interrupt_when_cloning(services: RecordingServices, log: Path, interrupt: Any) -> None:
    """Call `interrupt` once, as soon as the progress is told while a clone runs."""
    before = services.progress
    done: list[bool] = []

    def watch(progress: Any) -> None:
        before(progress)
        if not done and len(log.read_text().splitlines()) >= 2 and begun(services):
            done.append(True)
            interrupt()

    services.progress = watch  # type: ignore[method-assign]


def test_after_a_cut_link_every_clone_has_run_once(sandbox: SandboxHost, proxy: TcpProxy, slow_git: Path):
    services = RecordingServices()
    interrupt_when_cloning(services, slow_git, proxy.cut)
    with pytest.raises(Retryable, match="connection was lost"):
        install(sandbox.context(services, port=proxy.port, run_id="nodes-cut"), sandbox, "~/nodes-cut")
    again = sandbox.context(run_id="nodes-cut", restored=services.last_checkpoint, attempt=2)
    result = install(again, sandbox, "~/nodes-cut")
    assert all(node["commit"] for node in result.details["nodes"])
    clones = slow_git.read_text().splitlines()
    assert sorted(clone.rsplit("/", 1)[1] for clone in clones) == sorted(f"{name}.perdure-new" for name in NAMES)


def test_after_a_drain_every_clone_has_run_once(sandbox: SandboxHost, slow_git: Path):
    services = RecordingServices()
    ctx = sandbox.context(services, run_id="nodes-drain")
    interrupt_when_cloning(services, slow_git, lambda: ctx.token.cancel("drain"))
    with pytest.raises(ActionCancelled):
        install(ctx, sandbox, "~/nodes-drain")
    install(sandbox.context(run_id="nodes-drain", restored=services.last_checkpoint), sandbox, "~/nodes-drain")
    assert len(slow_git.read_text().splitlines()) == len(NAMES)


def test_stopping_leaves_no_clone_behind(sandbox: SandboxHost, slow_git: Path, eventually: Eventually):
    services = RecordingServices()
    ctx = sandbox.context(services)
    interrupt_when_cloning(services, slow_git, lambda: ctx.token.cancel("stop"))
    with pytest.raises(ActionCancelled):
        install(ctx, sandbox, "~/nodes-stop")
    eventually(lambda: not remote_commands(sandbox))
    assert "could not be ended" not in services.log_text
    # What had ended by itself just before the stop may leave its directory; the next attempt would read it.
    assert all(pid.with_name("exit").exists() for pid in (sandbox.home / ".perdure").glob("*/*/pid"))
    assert not list((sandbox.home / ".perdure").glob("*/*/script.*"))


def test_a_host_that_restarts_in_the_middle_is_gone_on_with(
    sandbox: SandboxHost, slow_git: Path, eventually: Eventually
):
    services = RecordingServices()
    interrupt_when_cloning(services, slow_git, sandbox.drop_connections)
    with pytest.raises(Retryable):
        install(sandbox.context(services, run_id="nodes-restart"), sandbox, "~/nodes-restart")
    attempts = itertools.count(2)

    def goes_on() -> bool:
        restored = services.last_checkpoint
        ctx = sandbox.context(services, run_id="nodes-restart", restored=restored, attempt=next(attempts))
        try:
            return bool(install(ctx, sandbox, "~/nodes-restart"))
        except Retryable:
            return False

    eventually(goes_on, timeout_s=30, interval_s=0.1)
