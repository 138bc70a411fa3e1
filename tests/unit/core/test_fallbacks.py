"""Chains of fallbacks as steps: what is tried when, whose cached result it is, and which chains are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.conditions import parse_condition
from orchestration.core.dag import plan_steps
from orchestration.core.decide import Failed, StepError, StepPolicy, Succeeded, Verb, decide, with_cached
from orchestration.core.fallbacks import Unfolded, unfold_fallbacks
from orchestration.errors import InvalidWorkflow
from schemas.retry import FallbackPolicy, RetryPolicy
from schemas.workflow import StepSpec


def unfold(*steps: dict[str, Any]) -> Unfolded:
    return unfold_fallbacks([StepSpec.model_validate({"action": "work"} | step) for step in steps])


def falls_back(*links: dict[str, Any], key: str = "a", **more: Any) -> dict[str, Any]:
    return {"key": key, "on_failure": {"fallback": list(links)}} | more


def said(step: StepSpec) -> Any:
    """The step's policy as it is stored."""
    if isinstance(step.on_failure, str):
        return step.on_failure
    return step.on_failure.model_dump(mode="json", exclude_unset=True)["fallback"]


def refusal(*steps: dict[str, Any]) -> InvalidWorkflow:
    with pytest.raises(InvalidWorkflow) as refused:
        unfold(*steps)
    assert refused.value.mend
    return refused.value


def test_steps_without_chains_stay_as_they_are() -> None:
    sent = [
        StepSpec.model_validate({"action": "work"} | step)
        for step in (
            {"key": "a", "on_failure": {"fallback": {"step": "b"}}},
            {"key": "b", "on_failure": {"fallback": {"value": 1}}},
            {"key": "c", "on_failure": "continue"},
            {"key": "d"},
        )
    ]
    unfolded = unfold_fallbacks(sent)
    assert unfolded.steps == sent
    assert unfolded.places == [f"/steps/{n}" for n in range(4)]


def test_an_action_becomes_a_step_at_the_end_named_after_the_one_it_stands_in_for() -> None:
    unfolded = unfold(
        {"key": "a", "label": "Ask", "on_failure": {"fallback": {"action": "ask", "params": {"agent": "b"}}}},
        {"key": "z"},
    )
    added = unfolded.steps[2]
    assert [step.key for step in unfolded.steps] == ["a", "z", "a-fallback"]
    assert (added.action, added.params, added.label, added.needs) == ("ask", {"agent": "b"}, "Ask (fallback)", None)
    assert said(unfolded.steps[0]) == {"step": "a-fallback"}
    assert unfolded.places[2] == "/steps/0/on_failure/fallback"


def test_each_of_a_chain_stands_in_for_the_one_before_it() -> None:
    unfolded = unfold(
        falls_back({"action": "x"}, {"step": "b"}, {"action": "y", "key": "own"}, {"value": 0}), {"key": "b"}
    )
    policies = {step.key: said(step) for step in unfolded.steps}
    assert policies == {
        "a": {"step": "a-fallback"},
        "b": {"step": "own"},
        "a-fallback": {"step": "b"},
        "own": {"value": 0},
    }
    assert unfolded.places[2:] == ["/steps/0/on_failure/fallback/0", "/steps/0/on_failure/fallback/2"]


def test_a_cached_result_is_looked_for_in_its_turn_and_is_that_of_the_step_that_the_chain_is_of() -> None:
    unfolded = unfold(falls_back({"step": "b"}, {"cached": True, "max_age_s": 60}, {"action": "x"}), {"key": "b"})
    a, b, added = unfolded.steps
    assert said(b) == [{"cached": True, "max_age_s": 60, "of": "a"}, {"step": added.key}]
    assert isinstance(a.on_failure, FallbackPolicy)
    assert isinstance(b.on_failure, FallbackPolicy)
    # Its results are kept, those of the others are not.
    assert (a.on_failure.remembers, b.on_failure.remembers, a.on_failure.step) == (True, False, "b")


def test_names_of_added_steps_are_free_and_short_enough() -> None:
    long = "k" * 64
    unfolded = unfold(
        falls_back({"action": "x"}, {"action": "y"}), {"key": "a-fallback"}, falls_back({"action": "x"}, key=long)
    )
    assert [step.key for step in unfolded.steps[3:]] == ["a-fallback-2", "a-fallback-3", "k" * 55 + "-fallback"]


@pytest.mark.parametrize(
    ("steps", "where", "words"),
    [
        ([falls_back({"step": "b"}, {"step": "zz"}), {"key": "b"}], "/steps/0/on_failure/fallback/1/step", "'zz'"),
        ([falls_back({"step": "a"})], "/steps/0/on_failure/fallback/0/step", "not another step"),
        (
            [falls_back({"step": "b"}, {"step": "b"}), {"key": "b"}],
            "/steps/0/on_failure/fallback/1/step",
            "not another",
        ),
        (
            [falls_back({"step": "b"}), {"key": "b", "enabled": False}],
            "/steps/0/on_failure/fallback/0/step",
            "disabled",
        ),
        ([falls_back({"action": "x", "key": "b"}), {"key": "b"}], "/steps/0/on_failure/fallback/0/key", "twice"),
        (
            [falls_back({"step": "b"}, {"value": 1}), {"key": "b", "on_failure": "continue"}],
            "/steps/0/on_failure/fallback/0",
            "in the middle of a chain",
        ),
        (
            [falls_back({"step": "s"}, {"value": 1}), falls_back({"step": "s"}, {"value": 2}, key="b"), {"key": "s"}],
            "/steps/1/on_failure/fallback/0",
            "different ways",
        ),
        (
            [
                falls_back({"step": "s"}, {"cached": True}),
                falls_back({"step": "s"}, {"cached": True}, key="b"),
                {"key": "s"},
            ],
            "/steps/1/on_failure/fallback/0",
            "different ways",
        ),
    ],
)
def test_a_chain_that_leads_nowhere_is_refused_with_its_place(
    steps: list[dict[str, Any]], where: str, words: str
) -> None:
    refused = refusal(*steps)
    assert refused.where == where
    assert words in refused.message


def test_two_chains_may_share_what_they_end_with() -> None:
    tail = [{"step": "s"}, {"action": "x"}]
    unfolded = unfold(falls_back(*tail, needs=[]), falls_back(*tail, key="b"), {"key": "s"})
    assert [step.key for step in unfolded.steps] == ["a", "b", "s", "a-fallback"]
    assert [said(step) for step in unfolded.steps] == [{"step": "s"}, {"step": "s"}, {"step": "a-fallback"}, "fail"]


links = st.lists(
    st.one_of(
        st.just({"action": "x"}),
        st.sampled_from([{"step": "p"}, {"step": "q"}]),
        st.just({"cached": True}),
    ),
    min_size=1,
    max_size=6,
).filter(lambda chain: all(chain.count(link) < 2 or "action" in link for link in chain))


@given(links, st.booleans(), st.sets(st.integers(0, 8)), st.booleans())
def test_what_is_tried_is_the_chain_up_to_what_succeeds(
    chain: list[dict[str, Any]], ends_with_value: bool, bad: set[int], is_cached: bool
) -> None:
    """Runs the plan as the engine does, by its decisions, its needs and its conditions alone."""
    chain = [*chain, {"value": 0}] if ends_with_value else chain
    unfolded = unfold(falls_back(*chain), {"key": "p"}, {"key": "q"}, {"key": "end"})
    planned = plan_steps(unfolded.steps, references=lambda _step: set(), places=unfolded.places)

    expected, is_saved = ["a"], False
    added = 0
    for link in chain:
        if "action" in link:
            added += 1
            expected.append("a-fallback" if added == 1 else f"a-fallback-{added}")
        elif "step" in link:
            expected.append(link["step"])
        else:
            expected.append("value" if "value" in link else "cached")
    for place, name in enumerate(expected):
        works = name == "value" or (is_cached if name == "cached" else place not in bad)
        if works:
            expected, is_saved = expected[: place + 1], True
            break

    tried: list[str] = []
    status: dict[str, str] = {}
    last = len(planned)
    while len(status) < last:
        step = next(
            one
            for one in planned
            if one.spec.key not in status and all(planned[need].spec.key in status for need in one.needs)
        )
        key = step.spec.key
        scope = {"steps": {name: {"status": ended, "result": None} for name, ended in status.items()}}
        if key == "end" or (key in "pq" and step.when is None):
            status[key] = "completed"
            continue
        if step.when is not None and not parse_condition(step.when).evaluate(scope):
            status[key] = "skipped"
            continue
        tried.append(key)
        works = expected[len(tried) - 1 :] == [key] and is_saved
        outcome = Succeeded(1) if works else Failed(StepError("x", "x"))
        policy = StepPolicy(RetryPolicy(max_attempts=1), step.spec.on_failure)
        decision = decide(outcome, policy, failures=0, losses=0, chance=0.5)
        if decision.cached is not None:
            tried.append("cached")
            assert decision.cached.of in (None, "a")
            assert (decision.cached.of is None) == (key == "a")
            if is_cached:
                decision = with_cached(decision, 1)
        if decision.verb == Verb.COMPLETE and not works and not (is_cached and decision.result == 1):
            tried.append("value")
        if decision.verb == Verb.FAIL:
            break
        status[key] = "failed" if decision.verb == Verb.CONTINUE else "completed"
    assert tried == expected
    assert ("end" in status) == is_saved
