"""Whatever a run holds, its state document fits and follows the schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.core.decide import Failed, Outcome, Skipped, Snoozed, StepError, Succeeded
from orchestration.engine.queries import Queries
from orchestration.engine.runs import StartedRun
from schemas.progress import Item, Phase, Progress
from schemas.state import MAX_STATE_BYTES, WINDOW_STEPS, read_state
from schemas.statuses import WaitReason
from tests.support.engine import ALICE, Harness

WORST = "\x01"  # six bytes in JSON
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
RESULT = JSON | st.fixed_dictionaries({"message": TEXT, "details": st.dictionaries(TEXT, JSON, max_size=4)})
ERROR = st.builds(StepError, st.just("broken"), TEXT, st.dictionaries(TEXT, JSON, max_size=4))
OUTCOME = st.one_of(
    st.builds(Succeeded, RESULT),
    st.builds(Skipped, TEXT),
    st.builds(Failed, ERROR, st.booleans()),
    st.just(Snoozed(WaitReason.LOCK, None)),
)
LABEL = TEXT.map(lambda text: text[:200])
PERCENT = st.none() | st.floats(0, 100)
PROGRESS = st.builds(
    Progress,
    type=st.sampled_from(["simple", "percentage", "checklist", "multi_phase"]),
    percent=PERCENT,
    message=st.none() | TEXT,
    detail=st.none() | TEXT,
    items=st.none() | st.lists(st.builds(Item, label=LABEL, percent=PERCENT), max_size=20).map(tuple),
    phases=st.none() | st.lists(st.builds(Phase, label=LABEL, percent=PERCENT), max_size=5).map(tuple),
    active_phase=st.none() | st.integers(0, 5),
)
# What becomes of each step in turn: progress and an outcome, or it stays in progress.
STEP = st.tuples(LABEL, st.none() | PROGRESS, st.none() | OUTCOME)
CONTROL = st.sampled_from(["pause", "stop", "none"])


def check(queries: Queries, run_id: str) -> dict[str, Any]:
    found = queries.state_text(run_id, "1763700000000-12")
    assert found is not None
    assert found[0] == queries.version(run_id)
    assert len(found[1].encode()) <= MAX_STATE_BYTES
    document: dict[str, Any] = json.loads(found[1])
    state = read_state(document)
    assert len(state.steps) <= WINDOW_STEPS
    assert state.counts.total == state.total_steps
    assert state.current_step in {step.index for step in state.steps}
    parts = state.counts.model_dump(exclude={"total"})
    assert sum(parts.values()) == state.total_steps
    if not state.steps_truncated:
        assert parts == {name: sum(step.status == name for step in state.steps) for name in parts}
    assert queries.summary(run_id) is not None
    return document


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(STEP, min_size=1, max_size=6),
    control=CONTROL,
    parallel=st.booleans(),
    params=st.dictionaries(TEXT, JSON, max_size=4),
)
def test_any_run_at_any_moment_has_a_valid_state(
    engine: Harness,
    queries: Queries,
    steps: list[tuple[str, Progress | None, Outcome | None]],
    control: str,
    parallel: bool,
    params: dict[str, Any],
) -> None:
    run = engine.start(
        *[
            {"key": f"k{n}", "label": label, **({"needs": []} if parallel else {})}
            for n, (label, _, _) in enumerate(steps)
        ],
        params=params,
        metadata=params if len(json.dumps(params)) < 10_000 else {},
    )
    check(queries, run.run_id)
    for position, (_, progress, outcome) in enumerate(steps):
        lease = engine.attempts.claim(run.run_id, position, "w1")
        if lease is None:
            break
        if progress is not None:
            engine.attempts.save_progress(lease, progress.model_dump(mode="json", exclude_none=True))
        if outcome is not None:
            engine.attempts.finish(lease, outcome)
        check(queries, run.run_id)
    if engine.run_status(run) == "running" and control != "none":
        getattr(engine.runs, control)(run.run_id, ALICE)
    check(queries, run.run_id)


def worst_run(engine: Harness, count: int) -> StartedRun:
    keys = [f"k{n:05d}{'x' * 58}" for n in range(count + 20)]
    steps = [
        {"key": key, "label": WORST * 200, "needs": [] if n < count else keys[:count]} for n, key in enumerate(keys)
    ]
    large = {"message": WORST * 5000, "details": {f"d{n}": WORST * 30 for n in range(400)}}
    run = engine.start(*steps, name=WORST * 200, params={"p": "x" * 8000}, metadata={"m": "x" * 4000})
    items = [{"label": WORST * 200, "detail": WORST * 100}] * 8
    for position in range(count):
        lease = engine.claim(run, position)
        engine.attempts.save_progress(lease, {"type": "checklist", "message": WORST * 800, "items": items})
        if position % 3 == 0:
            engine.finish(lease, Succeeded(large))
        elif position % 3 == 1:
            engine.finish(lease, Failed(StepError("broken", WORST * 5000, large["details"])))  # type: ignore[arg-type]
    return run


@pytest.mark.slow
@pytest.mark.parametrize("count", [20, 180, 600])
def test_the_worst_run_fits_too(count: int, engine: Harness, queries: Queries) -> None:
    run = worst_run(engine, count)
    document = check(queries, run.run_id)
    assert document["steps"][0]["result"]["clipped"] is True
