"""A peer's processes end with it, however it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from bench.driver import PeerFailed, PeerSpec, running
from settings import ROOT

PEER = """
import subprocess, sys, time
from bench.peers.protocol import serve

class Peer:
    def start(self):
        self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        return {"pid": self.child.pid}
    def fails(self):
        raise RuntimeError("as asked")
    def stop(self):
        self.child.kill()
        self.child.wait()
        return {}

serve(Peer())
"""


@pytest.fixture
def spec(tmp_path: Path) -> PeerSpec:
    # `python -m MODULE` is how peers are run; a module of this name is found by its path in the environment.
    (tmp_path / "bench_test_peer.py").write_text(PEER)
    return PeerSpec(
        "test", "Test", "bench_test_peer", Path(sys.executable), environment={"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    )


def test_what_a_peer_started_is_gone_after_it_was_closed(spec, tmp_path):
    with running(spec, "", "", tmp_path) as peer:
        child = psutil.Process(peer.ask("start")["pid"])
        assert child.is_running()
    assert not child.is_running()


def test_a_failure_is_told_with_its_reason_and_the_peer_is_ended(spec, tmp_path):
    children: list[psutil.Process] = []

    def failing() -> None:
        with running(spec, "", "", tmp_path) as peer:
            children.append(psutil.Process(peer.ask("start")["pid"]))
            peer.ask("fails")

    with pytest.raises(PeerFailed, match="as asked"):
        failing()
    assert [child.is_running() for child in children] == [False]


def test_an_interrupt_ends_the_peer_with_all_it_started(spec, tmp_path):
    def interrupted() -> None:
        with running(spec, "", "", tmp_path) as peer:
            children.append(psutil.Process(peer.ask("start")["pid"]))
            raise KeyboardInterrupt

    children: list[psutil.Process] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    psutil.wait_procs(children, timeout=5)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_peer_that_cannot_start_is_a_failure_with_its_log(spec, tmp_path):
    broken = PeerSpec("broken", "Broken", "no_such_module_anywhere", Path(sys.executable))
    with pytest.raises(PeerFailed, match="no_such_module_anywhere"), running(broken, "", "", tmp_path) as peer:
        peer.ask("start")
