"""kombu 5.7 lets a worker die with its broker while a task runs; messaging/transport.py mends it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from messaging.celery_app import make_celery
from settings import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.slow]


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_workers_outlive_their_broker_whether_busy_or_idle(private_valkey, tmp_path, eventually, pool):
    held, done = tmp_path / "held", tmp_path / "done"
    held.touch()
    app = make_celery(private_valkey.url)
    environment = {**os.environ, "TEST_BROKER": private_valkey.url}
    workers = {}
    for name in ("busy", "idle"):
        command = [
            "-A",
            "tests.integration.messaging.late_app",
            "worker",
            "-n",
            name,
            "-Q",
            name,
            "-P",
            pool,
            "-c",
            "2",
        ]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "info"]
        with (tmp_path / f"{name}.log").open("w") as log:
            workers[name] = subprocess.Popen(
                [sys.executable, "-m", "celery", *command], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
    try:
        app.send_task("hold", [str(held)], queue="busy")
        eventually(lambda: "hold" in (tmp_path / "busy.log").read_text().partition(" ready.")[2], timeout_s=30)
        eventually(lambda: " ready." in (tmp_path / "idle.log").read_text(), timeout_s=30)
        private_valkey.kill()
        eventually(lambda: "onnection" in (tmp_path / "busy.log").read_text().partition(" ready.")[2], timeout_s=30)
        held.unlink()
        private_valkey.restart()
        for name in workers:
            app.send_task("touch", [f"{done}-{name}"], queue=name)
        eventually(lambda: all(os.path.exists(f"{done}-{name}") for name in workers), timeout_s=30)  # noqa: PTH110
        assert [worker.poll() for worker in workers.values()] == [None, None]
    finally:
        for worker in workers.values():
            worker.terminate()
        for worker in workers.values():
            worker.wait(20)
