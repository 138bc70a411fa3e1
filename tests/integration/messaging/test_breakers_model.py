"""The breaker on Valkey does what the model does, whatever comes in whatever order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.breakers import ValkeyBreakers
from orchestration.gates.breaker import BreakerState, Change, Refused
from schemas.flow import BreakerSpec
from tests.integration.messaging.breaker_model import BreakerModel, Call

pytestmark = pytest.mark.integration

names = (f"b{number}" for number in itertools.count())
PROBE_S = 4.0

specs = st.builds(
    BreakerSpec,
    name=st.builds(lambda: next(names)),
    failure_threshold=st.integers(1, 5),
    failure_rate=st.sampled_from([None, 0.5, 1.0]),
    window_s=st.sampled_from([5.0, 10.0]),
    minimum_calls=st.integers(1, 5),
    recovery_s=st.sampled_from([1.0, 3.0]),
    probes=st.integers(1, 3),
)
operations = st.one_of(
    st.tuples(st.just("ask"), st.none()),
    st.tuples(st.just("report"), st.tuples(st.integers(0, 20), st.sampled_from(["ok", "failed", "failed", "unknown"]))),
    st.tuples(st.just("call"), st.sampled_from(["ok", "failed", "failed"])),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 3.0, 6.0])),
    st.tuples(st.just("by hand"), st.sampled_from(["open", "closed", "clear", "reset"])),
)


class Both:
    """A breaker and its model, asked the same at the same time."""

    def __init__(self, url: str, spec: BreakerSpec) -> None:
        self.now, self.spec = 1000.0, spec
        self.real = ValkeyBreakers(url, clock=lambda: self.now)
        self.model = BreakerModel(spec)
        self.calls: list[tuple[str, Call]] = []
        self.seen = "closed"

    def ask(self) -> bool:
        real, model = self.real.acquire(self.spec, probe_s=PROBE_S), self.model.acquire(self.now, PROBE_S)
        self.changed(real.change)
        if isinstance(real, Refused):
            assert real.seconds == model
            return False
        assert isinstance(model, Call), f"let through, but refused for {model} s by the model"
        assert real.probe == (model.lease_until is not None)
        self.calls.append((real.token, model))
        return True

    def report(self, index: int, report: Any) -> None:
        token, call = self.calls.pop(index)
        self.changed(self.real.report(self.spec, token, report, code="timeout"))
        self.model.report(self.now, call, report)

    def by_hand(self, order: str) -> None:
        name = self.spec.name
        known = self.real.one(name) is not None
        match order:
            case "reset":
                self.changed(self.real.reset(name))
                if known:
                    self.model.reset()
            case "clear":
                self.changed(self.real.clear(name))
                self.model.forced = None
            case _:
                self.changed(self.real.force(name, BreakerState(order)))
                self.model.forced = order

    def changed(self, change: Change | None) -> None:
        """Changes told must make a chain: nothing is left out, nothing told twice."""
        if change is not None:
            assert (change.before, change.at.timestamp()) == (self.seen, self.now)
            assert change.before != change.after
            assert change.why
            self.seen = change.after

    def compare(self) -> None:
        assert self.seen == self.model.shown
        status = self.real.one(self.spec.name)
        if status is None:
            assert self.model.shown == "closed"
            return
        assert status.state == self.model.shown
        assert (status.calls, status.failures, status.rejected) == (
            self.model.calls,
            self.model.failures,
            self.model.rejected,
        )
        assert status.consecutive_failures == self.model.in_a_row


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=specs, steps=st.lists(operations, min_size=5, max_size=60))
def test_the_breaker_does_what_the_model_does(module_redis_url: str, spec: BreakerSpec, steps: list[Any]) -> None:
    both = Both(module_redis_url, spec)
    for operation, value in steps:
        match operation:
            case "ask":
                both.ask()
            case "call" if both.ask():
                both.report(-1, value)
            case "report" if both.calls:
                both.report(value[0] % len(both.calls), value[1])
            case "wait":
                both.now += value
            case "by hand":
                both.by_hand(value)
        both.compare()
