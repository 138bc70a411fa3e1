"""What the command line says of runs and steps that wait, and how it prints tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.output import print_table
from cli.words import WAITED_FOR, WAITS, waiting, waits_for
from schemas.statuses import WaitReason

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def run(status: str = "running", stopping: bool = False, **step: Any) -> dict[str, Any]:
    return {"status": status, "stopping": stopping, "step": {"waiting_for": None, "waiting_on": None} | step}


def test_a_run_names_what_it_waits_on() -> None:
    assert waits_for(run(waiting_for="lock", waiting_on="lock:file:/x")) == "lock:file:/x"
    assert waits_for(run(waiting_for="signal")) == "signal"


@pytest.mark.parametrize(
    "shown",
    [
        run(),
        run("paused", waiting_for="lock", waiting_on="lock:file:/x"),
        run(stopping=True, waiting_for="retry"),
        {"status": "completed", "step": None},
    ],
)
def test_a_run_that_does_not_wait_says_nothing(shown: dict[str, Any]) -> None:
    assert waits_for(shown) == ""


def test_every_reason_has_its_words() -> None:
    assert set(WAITS) == set(WAITED_FOR) == {reason.value for reason in WaitReason}


def test_a_step_says_on_what_it_waits_and_until_when() -> None:
    step = {"waiting_for": "rate_limit", "waiting_on": "rate:openai", "until": "2030-01-01T00:00:07Z"}
    assert waiting(step, NOW) == "rate limit, goes on in 7 s · rate:openai"


def test_a_line_of_a_table_that_is_piped_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [["x" * 100, "end"]])
    assert capsys.readouterr().out.splitlines()[1] == "x" * 100 + "  end"
