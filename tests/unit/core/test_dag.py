"""Random graphs: order, counters, fallback wiring, cycles and references."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.dag import PlannedStep, leaves, plan_steps, topological_order
from orchestration.core.references import referenced_steps
from orchestration.errors import InvalidWorkflow
from schemas.workflow import StepSpec


def plan(*steps: dict[str, Any]) -> list[PlannedStep]:
    specs = [StepSpec.model_validate({"action": "work"} | step) for step in steps]
    return plan_steps(specs, references=lambda spec: referenced_steps(spec.params))


def refusal(*steps: dict[str, Any]) -> InvalidWorkflow:
    with pytest.raises(InvalidWorkflow) as refused:
        plan(*steps)
    assert refused.value.mend
    return refused.value


def ancestors(planned: Sequence[PlannedStep], position: int) -> set[int]:
    seen: set[int] = set()
    todo = list(planned[position].needs)
    while todo:
        need = todo.pop()
        if need not in seen:
            seen.add(need)
            todo.extend(planned[need].needs)
    return seen


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Steps in a shuffled order whose needs have no cycle; some are disabled."""
    count = draw(st.integers(1, 25))
    steps = []
    for n in range(count):
        needs = draw(st.lists(st.integers(0, n - 1), max_size=4)) if n else []
        steps.append({"key": f"s{n}", "needs": [f"s{need}" for need in needs], "enabled": draw(st.booleans())})
    return draw(st.permutations(steps))


@given(graphs())
def test_a_graph_without_cycle_is_planned_as_written(steps: list[dict[str, Any]]) -> None:
    planned = plan(*steps)
    keys = [step["key"] for step in steps]
    for position, (step, placed) in enumerate(zip(steps, planned, strict=True)):
        assert (placed.position, placed.spec.key) == (position, step["key"])
        assert {keys[need] for need in placed.needs} == set(step["needs"])
        assert len(set(placed.needs)) == len(placed.needs)
        enabled = [need for need in placed.needs if steps[need]["enabled"]]
        assert placed.blocked_by == len(enabled)
        expected = ("pending" if enabled else "ready") if step["enabled"] else "skipped"
        assert placed.status == expected
        assert set(placed.dependents) == {other.position for other in planned if position in other.needs}
    assert leaves(planned) == [p for p in range(len(keys)) if not any(p in other.needs for other in planned)]


@given(graphs())
def test_the_order_puts_every_step_behind_its_needs(steps: list[dict[str, Any]]) -> None:
    needs = [step.needs for step in plan(*steps)]
    order = topological_order(needs)
    place = {position: index for index, position in enumerate(order)}
    assert sorted(order) == list(range(len(steps)))
    assert all(place[need] < place[position] for position, wanted in enumerate(needs) for need in wanted)


@given(graphs(), st.data())
def test_a_cycle_is_refused_naming_its_members_and_nobody_else(
    steps: list[dict[str, Any]], data: st.DataObject
) -> None:
    size = data.draw(st.integers(2, 6))
    ring = [f"ring{n}" for n in range(size)]
    closed = [{"key": key, "needs": [ring[(n + 1) % size]]} for n, key in enumerate(ring)]
    behind = [{"key": f"behind{n}", "needs": [data.draw(st.sampled_from(ring))]} for n in range(12)]
    mixed = data.draw(st.permutations([*steps, *closed, *behind]))
    refused = refusal(*mixed)
    named = refused.message.partition(": ")[2].split(", ")
    assert sorted(named) == sorted(ring)
    pointed = re.fullmatch(r"/steps/(\d+)/needs", refused.where or "")
    assert pointed
    assert mixed[int(pointed[1])]["key"] in ring


def test_a_list_without_needs_is_a_chain_and_one_need_anywhere_makes_it_a_graph() -> None:
    assert [step.needs for step in plan({"key": "a"}, {"key": "b"}, {"key": "c"})] == [(), (0,), (1,)]
    assert [step.needs for step in plan({"key": "a"}, {"key": "b", "needs": []}, {"key": "c"})] == [(), (), ()]


def test_a_disabled_step_of_a_chain_lets_the_next_one_begin() -> None:
    planned = plan({"key": "a"}, {"key": "b", "enabled": False}, {"key": "c"})
    assert [(step.status, step.blocked_by) for step in planned] == [("ready", 0), ("skipped", 1), ("ready", 0)]


@pytest.mark.parametrize(
    ("steps", "where", "said"),
    [
        ([{"key": "a", "needs": ["zz"]}], "/steps/0/needs/0", "'zz'"),
        ([{"key": "a"}, {"key": "b", "needs": ["a", "b"]}], "/steps/1/needs/1", "itself"),
        ([{"key": "a", "on_failure": {"fallback": {"step": "a"}}}], "/steps/0/on_failure/fallback/step", "'a'"),
        ([{"key": "a", "on_failure": {"fallback": {"step": "b"}}}], "/steps/0/on_failure/fallback/step", "'b'"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused_with_its_place(
    steps: list[dict[str, Any]], where: str, said: str
) -> None:
    refused = refusal(*steps)
    assert refused.where == where
    assert said in refused.message


def falls_back(key: str, to: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "on_failure": {"fallback": {"step": to}}} | more


def test_a_fallback_in_a_chain_stands_beside_it_and_is_needed_by_what_follows() -> None:
    planned = plan(falls_back("a", "plan_b"), {"key": "plan_b"}, {"key": "c"})
    assert [step.needs for step in planned] == [(), (0,), (0, 1)]
    assert planned[1].when == 'steps.a.status == "failed"'


def test_a_fallback_of_a_fallback_comes_before_the_dependents_too() -> None:
    planned = plan(falls_back("a", "b"), falls_back("b", "c"), {"key": "c"}, {"key": "end"})
    assert [set(step.needs) for step in planned] == [set(), {0}, {1}, {0, 1, 2}]


def test_a_fallback_waits_for_the_substitutes_of_what_it_needs_itself() -> None:
    planned = plan(
        {"key": "end", "needs": ["a"]},
        falls_back("a", "plan_a"),
        {"key": "plan_a", "needs": ["b"]},
        falls_back("b", "plan_b"),
        {"key": "plan_b"},
    )
    assert [set(step.needs) for step in planned] == [{1, 2}, set(), {1, 3, 4}, set(), {3}]


def test_one_fallback_may_stand_in_for_several_steps_and_keeps_its_own_condition() -> None:
    planned = plan(
        falls_back("a", "spare", needs=[]), falls_back("b", "spare"), {"key": "spare", "when": "params.spare"}
    )
    assert planned[2].when == '(params.spare) and (steps.a.status == "failed" or steps.b.status == "failed")'
    assert planned[2].needs == (0, 1)


def test_steps_that_fall_back_to_each_other_are_a_cycle() -> None:
    assert "a, b" in refusal(falls_back("a", "b"), falls_back("b", "a")).message


def test_a_disabled_fallback_is_refused() -> None:
    assert "disabled" in refusal(falls_back("a", "b"), {"key": "b", "enabled": False}).message


@given(graphs(), st.data())
def test_every_fallback_runs_before_all_that_need_the_step_it_stands_in_for(
    steps: list[dict[str, Any]], data: st.DataObject
) -> None:
    steps = [step | {"enabled": True} for step in steps]
    for n in range(data.draw(st.integers(1, 4))):
        # Fallbacks of fallbacks too: the one before may be drawn again.
        failing = data.draw(st.sampled_from([step for step in steps if "on_failure" not in step]))
        failing["on_failure"] = {"fallback": {"step": f"f{n}"}}
        steps.append({"key": f"f{n}"})
    planned = plan(*steps)
    position = {step["key"]: index for index, step in enumerate(steps)}
    for step in steps:
        for spare in _substitutes(step, steps, position):
            for other in planned:
                if step["key"] in steps[other.position].get("needs", ()):
                    assert position[spare] in other.needs
            assert position[step["key"]] in ancestors(planned, position[spare])


def _substitutes(step: dict[str, Any], steps: list[dict[str, Any]], position: dict[str, int]) -> list[str]:
    if "on_failure" not in step:
        return []
    spare: str = step["on_failure"]["fallback"]["step"]
    return [spare, *_substitutes(steps[position[spare]], steps, position)]


@given(graphs(), st.data())
def test_a_reference_reaches_every_ancestor_and_nothing_else(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    reader = data.draw(st.sampled_from(range(len(steps))))
    read = data.draw(st.sampled_from(steps))["key"]
    before = {steps[position]["key"] for position in ancestors(plan(*steps), reader)}
    steps[reader] = steps[reader] | {"params": {"x": f"{{{{ steps.{read}.result.y }}}}"}}
    if read in before:
        plan(*steps)
    else:
        assert refusal(*steps).where == f"/steps/{reader}"


def test_a_reference_to_a_step_that_is_not_there_is_refused() -> None:
    refused = refusal({"key": "a"}, {"key": "b", "params": {"x": ["{{ steps.zz.result }}"]}})
    assert "'zz'" in refused.message


@pytest.mark.parametrize("shape", ["chain", "fan", "references"])
def test_ten_thousand_steps_are_planned_in_well_under_a_second(shape: str) -> None:
    specs = [
        StepSpec.model_validate(
            {
                "key": f"s{n}",
                "action": "work",
                **({"needs": ["s0"]} if shape == "fan" and n else {}),
                **({"params": {"x": f"{{{{ steps.s{n // 2}.result }}}}"}} if shape == "references" and n else {}),
            }
        )
        for n in range(10_000)
    ]
    reads = [referenced_steps(spec.params) for spec in specs]
    position = {id(spec): index for index, spec in enumerate(specs)}
    began = time.process_time()
    planned = plan_steps(specs, references=lambda spec: reads[position[id(spec)]])
    took = time.process_time() - began
    assert len(planned) == 10_000
    assert took < 0.8
