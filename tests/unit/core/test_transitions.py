"""Every pair of status and event: where it leads, or that it is refused."""

from __future__ import annotations

import itertools

import pytest

from orchestration.core.transitions import (
    RUN_TRANSITIONS,
    RunEvent,
    StepEvent,
    controls,
    next_run_statuses,
    next_step_status,
)
from schemas.statuses import RunStatus, StepStatus

# Written by hand, one line a status, so that a change of the table is a change of two places. A dot: refused.
STEPS = """
               release delay   become_due signal claim       complete  skip    fail   retry_later wait    hand_back cancel    reset
pending        ready   waiting .          .      .           .         skipped .      .           .       .         cancelled .
ready          .       .       .          .      in_progress .         skipped .      .           .       .         cancelled .
in_progress    .       .       .          .      .           completed skipped failed waiting     waiting ready     cancelled .
waiting        .       .       ready      ready  .           .         skipped .      .           .       .         cancelled .
completed      .       .       .          .      .           .         .       .      .           .       .         .         pending
failed         .       .       .          .      .           .         skipped .      .           .       .         .         pending
skipped        .       .       .          .      .           .         .       .      .           .       .         .         pending
cancelled      .       .       .          .      .           .         skipped .      .           .       .         .         pending
"""  # noqa: E501
RUNS = """
               begin             pause  resume  stop                 step_failed                 last_step_ended  retry
pending        running,completed .      .       cancelled            .                           .                .
running        .                 paused .       cancelling,cancelled cancelling,failed           completed        .
paused         .                 .      running cancelling,cancelled cancelling,failed           completed        .
cancelling     .                 .      .       cancelling           cancelling,failed,cancelled failed,cancelled .
completed      .                 .      .       .                    .                           .     running
failed         .                 .      .       .                    .                           .     running,completed
cancelled      .                 .      .       .                    .                           .     running,completed
"""


def pairs(table: str) -> dict[tuple[str, str], str]:
    header, *lines = (line.split() for line in table.strip().splitlines())
    return {(status, event): to for status, *cells in lines for event, to in zip(header, cells, strict=True)}


def test_the_tables_of_this_test_name_every_status_and_event() -> None:
    assert set(pairs(STEPS)) == set(itertools.product(StepStatus, StepEvent))
    assert set(pairs(RUNS)) == set(itertools.product(RunStatus, RunEvent))


@pytest.mark.parametrize(("status", "event"), list(itertools.product(StepStatus, StepEvent)))
def test_a_step_goes_where_the_table_says_or_refuses(status: StepStatus, event: StepEvent) -> None:
    assert (next_step_status(status, event) or ".") == pairs(STEPS)[status, event]


@pytest.mark.parametrize(("status", "event"), list(itertools.product(RunStatus, RunEvent)))
def test_a_run_goes_where_the_table_says_or_refuses(status: RunStatus, event: RunEvent) -> None:
    expected = pairs(RUNS)[status, event]
    assert next_run_statuses(status, event) == frozenset(expected.split(",") if expected != "." else ())


def test_every_status_can_be_reached_and_every_unfinished_one_can_be_left_for_an_end() -> None:
    reached, todo = {RunStatus.PENDING}, [RunStatus.PENDING]
    while todo:
        status = todo.pop()
        after = set().union(*(to for (start, _), to in RUN_TRANSITIONS.items() if start == status))
        todo += after - reached
        reached |= after
    assert reached == set(RunStatus)
    for status in RunStatus:
        ways_out = {to for event in RunEvent for to in next_run_statuses(status, event)}
        assert status.is_finished or any(to.is_finished for to in ways_out)


def test_what_has_ended_changes_only_by_a_control_and_a_finished_run_only_by_a_retry() -> None:
    for status in StepStatus:
        if status.is_ended:
            events = {event for event in StepEvent if next_step_status(status, event)}
            assert events <= {StepEvent.RESET, StepEvent.SKIP}
    for run in RunStatus:
        if run.is_finished:
            assert {event for event in RunEvent if next_run_statuses(run, event)} == {RunEvent.RETRY}


def test_controls_offered_are_those_the_table_allows() -> None:
    offered = {status: {str(event) for event in controls(status)} for status in RunStatus}
    assert offered == {
        "pending": {"stop"},
        "running": {"pause", "stop"},
        "paused": {"resume", "stop"},
        "cancelling": {"stop"},
        "completed": {"retry"},
        "failed": {"retry"},
        "cancelled": {"retry"},
    }
