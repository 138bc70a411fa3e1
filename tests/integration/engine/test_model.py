"""Random operations against the engine and against a small model of it: after each one they must agree."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from orchestration.core.decide import (
    Cancelled,
    Failed,
    HandedBack,
    Lost,
    Outcome,
    Skipped,
    Snoozed,
    StepError,
    Succeeded,
)
from orchestration.engine.leases import Held, Lease
from orchestration.engine.planning import plan_rows
from orchestration.engine.runs import StartedRun
from orchestration.errors import IllegalControl, LeaseLost, UnknownStep
from schemas.statuses import WaitReason
from schemas.workflow import StepSpec
from tests.support.engine import ACTIONS, ALICE, Harness, TestClock, broken_invariants
from tests.support.model import FINISHED, LEASE_S, End, Refused, Run
from tests.support.workflows import modelled, workflows

SEED = int(os.environ.get("PERDURE_MODEL_SEED") or random.SystemRandom().randrange(2**32))
EXAMPLES = int(os.environ.get("PERDURE_MODEL_EXAMPLES", "40"))
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
BOOM = StepError("boom", "it went off")
TABLES = "runs, run_documents, steps, step_documents, attempts, trace, checkpoints, progress, signals"

CONTROLS = ("pause", "resume", "stop", "skip", "retry", "signal")
LIKELY = {
    "running": ("pause", "skip", "signal", "signal", "stop"),
    "paused": ("resume", "resume", "skip", "signal"),
    "cancelling": ("stop",),
    **dict.fromkeys(FINISHED, ("retry", "retry", "skip")),
}

end_kinds = st.sampled_from([*get_args(End), "succeed", "succeed", "succeed", "expand"])


class Machine(RuleBasedStateMachine):
    """One engine and one model side by side. The clock stands still unless a rule moves it."""

    engine: Harness
    clock: TestClock

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.runs: list[tuple[StartedRun, Run]] = []
        self.leases: list[tuple[Lease, Run]] = []
        self.engine.database.execute("UPDATE test_clock SET shift = '0'")
        self.engine.database.execute(f"TRUNCATE {TABLES}")

    @initialize(specs=workflows(), spare=st.integers(0, 4))
    def begin(self, specs: list[dict[str, Any]], spare: int) -> None:
        self.start(specs, spare)

    @rule(data=st.data())
    def operate(self, data: st.DataObject) -> None:
        # One rule that chooses by weight: among many rules the few that lead on are drawn too seldom.
        held, claimable = len(self.held()), len(self.claimable())
        weights = {
            self.work: 6 * (claimable > 0),
            self.claim_what_is_ready: 3 * (claimable > 0),
            self.finish: 4 * (held > 0),
            self.control: 4,
            self.sweep: 3,
            self.begin_another: 2 * (len(self.runs) < 3),
            self.end_on_behalf_of_a_dead_worker: held > 0,
            self.heartbeat: held > 0,
            self.work_longer_than_a_lease: 2 * (held > 0),
            self.finish_late: 2 * (len(self.leases) > held),
            self.claim_whatever: 1,
        }
        data.draw(st.sampled_from([act for act, weight in weights.items() for _ in range(weight)]))(data)

    def begin_another(self, data: st.DataObject) -> None:
        self.start(data.draw(workflows()), data.draw(st.integers(0, 4)))

    def start(self, specs: list[dict[str, Any]], spare: int) -> None:
        model = Run(modelled(specs), len(specs) + spare, self.now)
        with self.answering() as sent:
            run = self.engine.start(*specs, max_steps=len(specs) + spare)
        self.runs.append((run, model))
        assert run.status == model.status
        assert set(sent) == model.ready()

    def claim_whatever(self, data: st.DataObject) -> None:
        started, model = data.draw(st.sampled_from(self.runs))
        self.claim_at(started, model, data.draw(st.integers(0, model.next_position)))

    def claim_what_is_ready(self, data: st.DataObject) -> None:
        self.claim_at(*data.draw(st.sampled_from(self.claimable())))

    def work(self, data: st.DataObject) -> None:
        for kind in data.draw(st.lists(end_kinds, min_size=1, max_size=6)):
            if self.claimable():
                self.claim_at(*data.draw(st.sampled_from(self.claimable())))
                self.finish_attempt(*self.leases[-1], kind, data)
                self.they_agree()

    def finish(self, data: st.DataObject) -> None:
        self.finish_attempt(*data.draw(st.sampled_from(self.held())), data.draw(end_kinds), data)

    def finish_late(self, data: st.DataObject) -> None:
        late = [pair for pair in self.leases if pair not in self.held()]
        # Most of all while a later attempt is in progress.
        taken = [pair for pair in late if pair[1].is_held(pair[0].position)]
        lease, _ = data.draw(st.sampled_from(taken or late))
        with pytest.raises(LeaseLost):
            self.engine.finish(lease, self.outcome(data.draw(end_kinds), []))

    def end_on_behalf_of_a_dead_worker(self, data: st.DataObject) -> None:
        lease, model = data.draw(st.sampled_from(self.held() or self.leases))
        held = model.holds(lease.position, lease.attempt)
        if held:
            model.finish(lease.position, "killed", self.now)
        ended = self.engine.sweep.end_attempt(Held(lease.run, lease.position, lease.attempt), Lost(counted=True))
        assert ended == int(held)

    def heartbeat(self, data: st.DataObject) -> None:
        lease, model = data.draw(st.sampled_from(self.held() if data.draw(st.booleans()) else self.leases))
        held = Held(lease.run, lease.position, lease.attempt)
        expected = model.heartbeat(lease.position, lease.attempt, self.now)
        assert self.engine.attempts.heartbeat("w1", [held]) == {held: expected}

    def control(self, data: st.DataObject) -> None:
        started, model = data.draw(st.sampled_from(self.runs))
        control = data.draw(st.sampled_from((*LIKELY[model.status] * 3, *CONTROLS)))
        act = getattr(self.engine.runs, control)
        if control in ("pause", "stop"):
            self.controlled(model, getattr(model, control), lambda: act(started.run_id, ALICE))
        elif control == "resume":
            self.controlled(model, lambda: model.resume(self.now), lambda: act(started.run_id, ALICE))
        elif control == "retry" and data.draw(st.booleans()):
            self.controlled(model, lambda: model.retry(None, self.now), lambda: act(started.run_id, ALICE))
        else:
            takers = [position for position, step in sorted(model.steps.items()) if step.takes_signal]
            choices = takers if control == "signal" and takers else sorted(model.steps)
            position = data.draw(st.sampled_from(choices))
            more: dict[str, Any] = {"payload": {}} if control == "signal" else {}
            self.controlled(
                model,
                lambda: getattr(model, control)(position, self.now),
                lambda: act(started.run_id, ALICE, step=model.steps[position].key, **more),
            )

    def sweep(self, data: st.DataObject) -> None:
        self.time_passes(data.draw(st.sampled_from([1, 2, 5, LEASE_S, LEASE_S + 1])))

    def work_longer_than_a_lease(self, data: st.DataObject) -> None:
        self.time_passes(LEASE_S - 5)
        if self.held():
            self.heartbeat(data)
        self.time_passes(LEASE_S - 5)

    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.clock.advance(seconds)
        expired = sum(model.sweep_expired(self.now) for _, model in self.runs)
        assert self.engine.sweep.expired() == expired
        due = {(run.run_id, position) for run, model in self.runs for position in model.sweep_due(self.now)}
        self.engine.recorder.sent.clear()
        assert self.engine.sweep.due() == len(due)
        assert {(step.run_id, step.position) for step in self.engine.recorder.sent} == due

    def claimable(self) -> list[tuple[StartedRun, Run, int]]:
        return [(run, model, position) for run, model in self.runs for position in sorted(model.ready())]

    def held(self) -> list[tuple[Lease, Run]]:
        return [pair for pair in self.leases if pair[1].holds(pair[0].position, pair[0].attempt)]

    def claim_at(self, started: StartedRun, model: Run, position: int) -> None:
        expected = model.claim(position, self.now)
        lease = self.engine.attempts.claim(started.run_id, position, "w1")
        self.hold(lease, model, expected)

    def hold(self, lease: Lease | None, model: Run, expected: int | None) -> None:
        assert (lease.attempt if lease else None) == expected
        if lease is not None:
            assert (lease.signal is not None) == model.steps[lease.position].has_signal
            self.leases.append((lease, model))

    def finish_attempt(self, lease: Lease, model: Run, kind: End, data: st.DataObject) -> None:
        if model.steps[lease.position].has_signal and data.draw(st.booleans()):
            kind = "signal"  # the signal came before its step waits for it
        # A key that was used before is refused; a fresh one is not.
        prefix = f"x{data.draw(st.integers(0, 3))}" if kind == "expand" else ""
        specs = data.draw(workflows(prefix, expanded=True)) if kind == "expand" else []
        hand_over = data.draw(st.booleans())
        first = set(sorted(model.dependents(lease.position))[:1])
        ready = model.finish(lease.position, kind, self.now, modelled(specs))
        with self.answering() as sent:
            finished = self.engine.attempts.commit(lease, self.outcome(kind, specs), hand_over=hand_over)
            self.engine.attempts.tell(finished)
        taken = {finished.next.position} if finished.next else set()
        assert taken == (ready & first if hand_over and kind == "succeed" else set())
        assert set(sent) == ready - taken
        if finished.next is not None:
            self.hold(finished.next, model, model.claim(finished.next.position, self.now))

    def controlled(self, model: Run, expected: Callable[[], None], act: Callable[[], Any]) -> None:
        before = model.ready()
        try:
            expected()
        except Refused:
            with pytest.raises((IllegalControl, UnknownStep)):
                act()
            return
        with self.answering() as sent:
            assert act().status == model.status
        # Resume and retry may send again what was sent before, but nothing sends what cannot be claimed.
        assert model.ready() - before <= set(sent) <= model.ready()

    @contextmanager
    def answering(self) -> Iterator[list[int]]:
        self.engine.recorder.sent.clear()
        sent: list[int] = []
        yield sent
        sent.extend(step.position for step in self.engine.recorder.sent)

    def outcome(self, kind: End, specs: list[dict[str, Any]]) -> Outcome:
        rows = plan_rows([StepSpec.model_validate(spec) for spec in specs], ACTIONS, 0)
        leaves = [row["position"] for row in rows if not row["dependents"]]
        outcomes: dict[End, Outcome] = {
            "succeed": Succeeded({"n": 1}),
            "expand": Succeeded({}, {"steps": rows, "leaves": leaves}),
            "skip": Skipped("condition is false"),
            "break": Failed(BOOM, permanent=True),
            "flaky": Failed(BOOM),
            "cancel": Cancelled(),
            "delay": Snoozed(WaitReason.DELAY, EPOCH + timedelta(seconds=self.now + 5)),
            "signal": Snoozed(WaitReason.SIGNAL, None),
            "lost": Lost(counted=False),
            "killed": Lost(counted=True),
            "hand_back": HandedBack(),
        }
        return outcomes[kind]

    @invariant()
    def they_agree(self) -> None:
        for run, model in self.runs:
            row = self.engine.database.rows(SEEN, run.run_id)[0]
            assert row[:3] == (model.status, model.ending if model.status == "cancelling" else row[1], model.commits)
            assert row[3] == [
                {
                    "position": position,
                    "key": step.key,
                    "status": step.status,
                    "waiting_for": step.waiting_for,
                    "attempt": step.attempt,
                    "failures": step.failures,
                    "losses": step.losses,
                    "released": step.released,
                    "due": step.due,
                    "needs": sorted(step.needs),
                }
                for position, step in sorted(model.steps.items())
            ]
        assert broken_invariants(self.engine.database) == {}


SEEN = """
    SELECT r.status, r.ending, (SELECT count(*)::int FROM attempts a WHERE a.run_id = r.id AND a.attempt > 0),
           (SELECT jsonb_agg(jsonb_build_object(
                'position', s.position, 'key', s.key, 'status', s.status, 'waiting_for', s.waiting_for,
                'attempt', s.attempt, 'failures', s.failures, 'losses', s.losses, 'released', s.released,
                'due', extract(epoch FROM s.due_at - '2030-01-01 00:00+00')::int,
                'needs', (SELECT coalesce(jsonb_agg(n ORDER BY n), '[]') FROM unnest(s.needs) n)) ORDER BY s.position)
              FROM steps s WHERE s.run_id = r.id)
      FROM runs r WHERE r.public_id = %s"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_engine_agrees_with_its_model_under_random_operations(engine: Harness, clock: TestClock) -> None:
    engine.database.execute(
        "CREATE OR REPLACE FUNCTION clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
        "$$ SELECT timestamptz '2030-01-01 00:00+00' + (SELECT shift FROM test_clock) $$"
    )
    print(f"PERDURE_MODEL_SEED={SEED} repeats this")
    machine = seed(SEED)(type("Machine", (Machine,), {"engine": engine, "clock": clock}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
