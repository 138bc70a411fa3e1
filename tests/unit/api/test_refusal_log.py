from __future__ import annotations

import pytest

from api.refusal_log import RefusalLog


def test_a_refusal_is_one_line_with_what_and_from_where(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog().note("signing in was", "192.0.2.7")
    assert caplog.messages == ["signing in was refused to 192.0.2.7"]


def test_lines_are_bounded_and_those_left_out_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = RefusalLog(lines=2, per_s=60, clock=lambda: now[0])
    for number in range(5):
        refusals.note("start", f"user{number}")
    now[0] = 60.0
    refusals.note("start", "later")
    assert caplog.messages == [
        "start refused to user0",
        "start refused to user1",
        "3 more refusals were not logged",
        "start refused to later",
    ]
