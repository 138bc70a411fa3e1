from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from orchestration.actions import ActionCancelled, Permanent, Retryable
from orchestration.actions.demo import FailParams, SleepParams, fail, sleep
from orchestration.actions.noop import NoopParams, noop
from orchestration.actions.outcomes import WaitUntil
from orchestration.actions.registry import load_actions
from orchestration.actions.signal import SignalParams, wait_for_signal
from orchestration.actions.testing import Recorder, make_context


def test_bundled_actions_are_registered_with_what_they_promise():
    actions = load_actions()
    assert {"noop", "demo.sleep", "demo.fail", "wait_for_signal", "http.request", "shell.command"} <= actions.keys()
    assert actions["wait_for_signal"].accepts_signal
    assert actions["shell.command"].role == "admin"
    assert {actions[name].killable for name in ("shell.command", "python.call")} == {True}
    assert actions["noop"].idempotent
    assert not actions["http.request"].idempotent
    for declared in actions.values():
        assert declared.summary
        assert declared.params.model_json_schema()["type"] == "object"


@pytest.mark.parametrize(
    ("params", "answer"),
    [
        ({}, {}),
        ({"a": 1, "b": [2]}, {"a": 1, "b": [2]}),
        ({"result": {"x": 1}, "a": 2}, {"x": 1}),
        ({"result": 5}, {"result": 5}),
        ({"result": None}, {"result": None}),
    ],
)
def test_noop_answers_what_it_was_given(params, answer):
    assert noop(make_context(), NoopParams.model_validate(params)) == answer


def test_noop_shows_its_message():
    recorder = Recorder()
    noop(make_context(recorder), NoopParams(message="hello"))
    assert [progress.message for progress in recorder.progress_seen] == ["hello"]


def test_sleep_shows_growing_percent_and_ends_at_a_hundred():
    recorder = Recorder()
    assert sleep(make_context(recorder), SleepParams(seconds=0.6)) == {"slept_s": 0.6}
    percents = [progress.percent for progress in recorder.progress_seen]
    assert percents == sorted(percents, key=lambda percent: percent or 0.0)
    assert percents[-1] == 100
    assert len(percents) >= 3


def test_sleep_stops_at_once_when_cancelled():
    ctx = make_context()
    threading.Timer(0.1, ctx.token.cancel, ("stop",)).start()
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        sleep(ctx, SleepParams(seconds=30))
    assert time.monotonic() - started < 15


def test_fail_fails_as_often_as_told():
    params = FailParams(times=2, after_s=5)
    for attempt in (1, 2):
        with pytest.raises(Retryable) as caught:
            fail(make_context(attempt=attempt), params)
        assert caught.value.after == 5
    assert fail(make_context(attempt=3), params) == {"attempts": 3}
    with pytest.raises(Permanent):
        fail(make_context(), FailParams(permanent=True))


def test_unknown_parameters_are_refused():
    with pytest.raises(ValidationError):
        SleepParams.model_validate({"seconds": 1, "secnods": 2})


def test_signal_that_came_is_the_result():
    assert wait_for_signal(make_context(signal={"approved": True}), SignalParams()) == {"approved": True}


def test_without_a_signal_the_step_waits_and_shows_its_prompt():
    recorder = Recorder()
    with pytest.raises(WaitUntil) as caught:
        wait_for_signal(make_context(recorder), SignalParams(prompt="Delete it?"))
    assert (caught.value.reason, caught.value.until) == ("signal", None)
    assert recorder.progress_seen[-1].message == "Delete it?"
    assert recorder.checkpoints == []


def test_limit_of_the_wait_is_fixed_by_the_first_attempt():
    recorder, params = Recorder(), SignalParams(timeout_s=600)
    with pytest.raises(WaitUntil) as first:
        wait_for_signal(make_context(recorder), params)
    assert first.value.until is not None
    assert abs(first.value.until - datetime.now(UTC) - timedelta(seconds=600)) < timedelta(seconds=5)
    with pytest.raises(WaitUntil) as second:
        wait_for_signal(make_context(recorder, attempt=2, restored=recorder.checkpoints[-1]), params)
    assert second.value.until == first.value.until


def test_wait_that_is_over_fails_and_a_retry_waits_anew():
    recorder = Recorder()
    past = {"until": (datetime.now(UTC) + timedelta(seconds=0.1)).isoformat()}
    with pytest.raises(Permanent, match="within 1 s"):
        wait_for_signal(make_context(recorder, attempt=2, restored=past), SignalParams(timeout_s=1))
    with pytest.raises(WaitUntil):
        wait_for_signal(make_context(attempt=3, restored=recorder.checkpoints[-1]), SignalParams(timeout_s=1))


def test_signal_that_came_in_time_counts_even_if_read_late():
    past = {"until": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    ctx = make_context(attempt=2, restored=past, signal={"ok": 1})
    assert wait_for_signal(ctx, SignalParams(timeout_s=1)) == {"ok": 1}
