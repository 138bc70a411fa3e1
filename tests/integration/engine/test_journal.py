"""What the log tells of the life of a run: one line each, with its ids."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from logs import JsonFormatter, trace_id_of
from orchestration.core.decide import Failed, Lost, StepError, Succeeded
from orchestration.engine.leases import Held
from tests.support.engine import ALICE, Harness

pytestmark = pytest.mark.integration


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """The lines, as they would be written."""
    lines: list[dict[str, Any]] = []
    formatter = JsonFormatter()

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(formatter.format(record)))

    log, handler = logging.getLogger("perdure.runs"), Kept()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield lines
    log.removeHandler(handler)
    log.setLevel(level)


def test_each_event_of_a_run_is_one_line_with_its_ids(engine: Harness, told: list[dict[str, Any]]) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, name="Nightly")
    again = engine.start({"key": "a"}, {"key": "b"}, name="Nightly", run_id=run.run_id)
    assert not again.created
    engine.runs.pause(run.run_id, ALICE)
    engine.runs.resume(run.run_id, ALICE)
    engine.finish(engine.claim(run, 0), Failed(StepError("exception", "away"), after_s=0))
    engine.database.execute("UPDATE steps SET due_at = clock_now() WHERE status = 'waiting'")
    engine.sweep.due()
    lease = engine.claim(run, 0)
    engine.finish(lease, Failed(StepError("broken", "password=hunter22 was wrong"), permanent=True))
    engine.runs.retry(run.run_id, ALICE, step="a")
    engine.finish(engine.claim(run, 0))
    engine.finish(engine.claim(run, 1))

    assert [line["message"] for line in told] == [
        *("run started", "run paused", "run resumed", "attempt failed", "step failed", "run failed"),
        *("run retried", "run completed"),
    ]
    ids = {"run_id": run.run_id, "trace_id": trace_id_of(run.run_id), "level": "info"}
    assert all(line.items() >= ids.items() and line["time"] for line in told)
    started, paused, _, tried, failed, ended, _, completed = told
    assert (started["by"], started["workflow"], started["kind"]) == ("alice", "Nightly", "workflow")
    assert (paused["by"], paused["status"]) == ("alice", "paused")
    assert (tried["step"], tried["attempt"], tried["error"], tried["again_in_s"]) == ("a", 1, "away", 1.0)
    assert (failed["step"], failed["attempt"], failed["code"]) == ("a", 2, "broken")
    assert failed["error"] == ended["error"] == "password=[redacted] was wrong"
    assert (completed["total"], completed["completed"], "error" in completed) == (2, 2, False)


def test_a_lost_attempt_a_stop_and_a_skip_are_told(engine: Harness, told: list[dict[str, Any]]) -> None:
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    engine.sweep.end_attempt(Held(lease.run, lease.position, lease.attempt), Lost(counted=True))
    engine.runs.skip(run.run_id, ALICE, step="b")
    engine.runs.stop(run.run_id, ALICE)
    messages = [line["message"] for line in told]
    assert messages == ["run started", "attempt lost", "step skipped", "run is stopped", "run cancelled"]
    assert (told[1]["step"], told[1]["attempt"], told[1]["code"], told[1]["then"]) == (
        "a",
        1,
        "worker_lost",
        "hand_back",
    )
    assert told[2]["step"] == "b"


def test_attempts_that_go_well_are_not_told(engine: Harness, told: list[dict[str, Any]]) -> None:
    run = engine.start({"key": "a"}, {"key": "b"}, {"key": "c"})
    for position in range(2):
        engine.finish(engine.claim(run, position), Succeeded(None))
    assert [line["message"] for line in told] == ["run started"]
