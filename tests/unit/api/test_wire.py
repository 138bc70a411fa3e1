from __future__ import annotations

import pytest

from api.wire import run_status, run_statuses, step_status
from schemas.statuses import RunStatus, StepStatus


def test_only_known_words_reach_the_wire() -> None:
    assert {run_status(status) for status in RunStatus} == {
        "pending", "running", "paused", "completed", "failed", "cancelled"}  # fmt: skip
    assert {step_status(status) for status in StepStatus} == {
        "pending", "in_progress", "completed", "failed", "skipped", "cancelled"}  # fmt: skip


def test_running_finds_runs_that_are_being_stopped_too() -> None:
    assert run_statuses(["running"]) == (RunStatus.RUNNING, RunStatus.CANCELLING)
    assert set(run_statuses(["active", "finished"])) == set(RunStatus)
    assert run_statuses(["failed", "failed"]) == (RunStatus.FAILED,)
    with pytest.raises(ValueError):
        run_statuses(["cancelling!"])
