"""From a workflow as sent to rows, and what is refused before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from orchestration.core.conditions import parse_condition
from orchestration.engine.planning import MAX_PARAMS_BYTES, fingerprint, plan_workflow
from orchestration.errors import InvalidWorkflow, NotAllowed, TooLarge
from schemas.json import JsonObject
from schemas.retry import RetryPolicy
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec
from tests.support.engine import ACTIONS, declare


class Sized(BaseModel, extra="forbid"):
    size: int = Field(ge=1)
    names: list[int] = []


KNOWN = ACTIONS | {
    "sized": declare("sized", params=Sized, queue="big", timeout_s=60, retry=RetryPolicy(max_attempts=9)),
}


def rows_of(*steps: dict[str, Any], role: Role = Role.ADMIN, **fields: Any) -> list[JsonObject]:
    filled = [{"action": "work"} | step for step in steps]
    return plan_workflow(WorkflowSpec.model_validate({"steps": filled} | fields), KNOWN, role)


def refusal(*steps: dict[str, Any], **fields: Any) -> InvalidWorkflow:
    with pytest.raises(InvalidWorkflow) as refused:
        rows_of(*steps, **fields)
    assert refused.value.mend
    return refused.value


def test_rows_carry_the_defaults_of_the_action_and_what_the_step_says_wins() -> None:
    plain, own = rows_of(
        {"key": "a", "action": "sized", "params": {"size": 1}},
        {"key": "b", "action": "sized", "params": {"size": 1}, "timeout_s": 5, "retry": {"max_attempts": 2}},
    )
    assert (plain["queue"], plain["label"], plain["status"]) == ("big", "a", "ready")
    assert (plain["policy"]["timeout_s"], plain["policy"]["retry"]["max_attempts"]) == (60, 9)
    assert (own["policy"]["timeout_s"], own["policy"]["retry"]["max_attempts"]) == (5, 2)


@pytest.mark.parametrize(
    ("action", "on_lost", "expected"),
    [("work", None, "retry"), ("once", None, "fail"), ("once", "retry", "retry"), ("work", "fail", "fail")],
)
def test_a_lost_attempt_is_repeated_only_if_the_action_or_the_step_says_so(
    action: str, on_lost: str | None, expected: str
) -> None:
    assert rows_of({"key": "a", "action": action, "on_lost": on_lost})[0]["policy"]["on_lost"] == expected


def test_the_delay_between_steps_is_for_steps_that_follow_one_and_a_step_may_set_its_own() -> None:
    rows = rows_of({"key": "a"}, {"key": "b"}, {"key": "c", "delay_s": 0}, step_delay_s=5)
    assert [(row["status"], row["delay_s"]) for row in rows] == [("ready", 0), ("pending", 5), ("pending", 0)]
    assert rows_of({"key": "a", "delay_s": 3})[0]["status"] == "waiting"


def test_rows_name_the_steps_they_read_by_parameters_conditions_and_fallbacks() -> None:
    rows = rows_of(
        {"key": "a", "on_failure": {"fallback": {"step": "spare"}}},
        {"key": "spare"},
        {"key": "b"},
        {"key": "c", "params": {"x": "{{ steps.b.result.n }}"}, "when": "steps.a.status == 'completed'"},
    )
    assert [row["reads"] for row in rows] == [[], ["a"], [], ["a", "b"]]


def test_a_fallback_value_of_null_stays_a_value() -> None:
    row = rows_of({"key": "a", "on_failure": {"fallback": {"value": None}}})[0]
    assert row["policy"]["on_failure"] == {"fallback": {"value": None}}


def test_one_step_may_stand_in_for_as_many_steps_as_a_workflow_has() -> None:
    names = [f"a_rather_long_name_of_a_step_{n}" for n in range(60)]
    failing = [{"key": name, "needs": [], "on_failure": {"fallback": {"step": "spare"}}} for name in names]
    spare = rows_of(*failing, {"key": "spare"})[-1]
    scope = {"steps": {name: {"status": "completed", "result": None} for name in names}}
    condition = parse_condition(spare["policy"]["when"])
    assert condition.evaluate(scope) is False
    scope["steps"][names[-1]]["status"] = "failed"
    assert condition.evaluate(scope) is True


@pytest.mark.parametrize(
    ("step", "where"),
    [
        ({"action": "nope"}, "/steps/1/action"),
        ({"action": "sized", "params": {"size": 0}}, "/steps/1/params/size"),
        ({"action": "sized", "params": {}}, "/steps/1/params/size"),
        ({"action": "sized", "params": {"size": 1, "more": 2}}, "/steps/1/params/more"),
        ({"action": "sized", "params": {"size": 1, "names": [1, "x"]}}, "/steps/1/params/names/1"),
        ({"params": {"a": [{"b": "{{ nonsense }}"}]}}, "/steps/1/params/a/0/b"),
        ({"params": {"a": "{{ steps.zz.result }}"}}, "/steps/1"),
        ({"when": "1 +"}, "/steps/1/when"),
        ({"needs": ["first"], "action": "remote"}, "/ssh"),
    ],
)
def test_what_cannot_run_is_refused_with_its_place(step: dict[str, Any], where: str) -> None:
    assert refusal({"key": "first"}, {"key": "second"} | step).where == where


def test_a_parameter_that_a_reference_will_bring_is_checked_later() -> None:
    params = {"size": "{{ steps.a.result.n }}", "names": ["{{ params.one }}"]}
    rows_of({"key": "a"}, {"key": "b", "action": "sized", "params": params})


def test_a_workflow_of_disabled_steps_is_refused() -> None:
    assert refusal({"key": "a", "enabled": False}).where == "/steps"


def test_a_step_that_is_off_may_name_a_host_action_in_a_run_without_host() -> None:
    rows_of({"key": "a"}, {"key": "b", "action": "remote", "enabled": False})


def test_more_steps_than_the_run_may_have_are_refused() -> None:
    assert refusal({"key": "a"}, {"key": "b"}, max_steps=1).where == "/max_steps"


def test_an_action_above_the_callers_role_is_refused_even_when_disabled() -> None:
    for enabled in (True, False):
        with pytest.raises(NotAllowed) as refused:
            rows_of({"key": "a"}, {"key": "b", "action": "rooted", "enabled": enabled}, role=Role.OPERATOR)
        assert refused.value.where == "/steps/1/action"


def test_oversize_parameters_are_refused_by_their_size_in_bytes() -> None:
    fits = MAX_PARAMS_BYTES - len(json.dumps({"x": ""}))
    rows_of({"key": "a", "params": {"x": "y" * fits}})
    with pytest.raises(TooLarge) as refused:
        rows_of({"key": "a", "params": {"x": "y" * (fits - 1) + "\u00e9"}})
    assert refused.value.where == "/steps/0/params"


def test_equal_bodies_have_equal_fingerprints_whatever_the_order_of_their_keys() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint({"a": 1, "b": [2, 1]})
    assert fingerprint({"a": "\ud800"}) != fingerprint({"a": "\ud801"})


@pytest.mark.parametrize(
    ("kind", "queue", "expected"),
    [
        ("interactive", "default", "interactive"),
        ("interactive", "http", "interactive"),
        ("interactive", "killable", "killable-interactive"),
        ("interactive", "special", "special"),
        ("background", "default", "default"),
        ("background", "killable", "killable"),
    ],
)
def test_steps_of_interactive_runs_have_a_queue_of_their_own(kind: str, queue: str, expected: str) -> None:
    actions = {"work": declare("work", queue=queue)}
    workflow = WorkflowSpec.model_validate({"steps": [{"key": "a", "action": "work"}], "kind": kind})
    (row,) = plan_workflow(workflow, actions, Role.OPERATOR)
    assert row["queue"] == expected
