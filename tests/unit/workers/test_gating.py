"""What an attempt asks the gates for: put together from step, action, run and kind, and safe to be shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.engine.waking import HIGHEST_PRIORITY, aged_priority
from orchestration.errors import InvalidParameters
from orchestration.gates.gate import GateRequest
from orchestration.redaction import Redactor
from schemas.flow import BreakerSpec, ConcurrencySpec, FlowSpec, LockSpec, RateLimitSpec
from schemas.statuses import RunKind
from tests.support.engine import AnyParams, declare
from tests.support.leases import make_lease
from workers.gating import FlowDefaults, gate_request, shown_safely

SCOPE = {"params": {"path": "/srv/db", "port": 22, "nothing": "", "secret": "hunter2secret"}}


def asked(
    flow: dict[str, Any] | None = None,
    *,
    of_action: FlowSpec | None = None,
    defaults: FlowDefaults | None = None,
    **lease: Any,
) -> GateRequest:
    """The request of a step that says `flow`, and whose action says `of_action`."""
    declared = declare("work", flow=lambda _params, _host: of_action)
    return gate_request(make_lease(flow=flow, **lease), declared, AnyParams(), SCOPE, defaults or FlowDefaults())


def test_names_are_resolved_and_numbers_become_text() -> None:
    request = asked({"locks": [{"name": "file:{{ params.path }}"}, {"name": "{{ params.port }}"}]})
    assert [lock.name for lock in request.locks] == ["file:/srv/db", "22"]


def test_a_reference_that_brings_no_name_is_refused_for_good() -> None:
    with pytest.raises(InvalidParameters, match="locks"):
        asked({"locks": [{"name": "{{ params.nothing }}"}]})


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 301, None, ["x"], True])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(ValidationError):
        LockSpec(name=name)


def test_names_that_differ_in_white_space_alone_are_one() -> None:
    assert LockSpec(name=" x ") == LockSpec(name="x")


def test_keys_of_kinds_are_not_for_steps() -> None:
    with pytest.raises(ValidationError, match="kinds of runs"):
        ConcurrencySpec(key="kind:background", limit=100)


def test_a_steps_own_words_go_before_those_of_its_action_and_settings_fill_the_rest() -> None:
    of_action = FlowSpec(
        breaker=BreakerSpec(name="a"),
        rate_limits=(RateLimitSpec(name="own", limit=9), RateLimitSpec(name="set")),
        locks=(LockSpec(name="of-action"),),
    )
    defaults = FlowDefaults(
        rate_limits={"set": RateLimitSpec(name="set", limit=3, per_s=60)},
        breakers={"b": {"recovery_s": 7, "failure_threshold": 2}},
    )
    own = {
        "breaker": {"name": "b", "failure_threshold": 4},
        "rate_limits": [{"name": "own", "limit": 1}],
        "locks": [{"name": "of-step"}],
    }
    request = asked(own, of_action=of_action, defaults=defaults)
    assert request.breaker == BreakerSpec(name="b", failure_threshold=4, recovery_s=7)
    assert request.rate_limits == (RateLimitSpec(name="own", limit=1), RateLimitSpec(name="set", limit=3, per_s=60))
    assert [lock.name for lock in request.locks] == ["of-step", "of-action"]


def test_a_background_run_stands_in_the_line_of_its_kind_and_in_that_of_its_run() -> None:
    rate = RateLimitSpec(name="kind:background", limit=10)
    defaults = FlowDefaults(kind_places={RunKind.BACKGROUND: 5}, kind_rates={RunKind.BACKGROUND: rate})
    own = ConcurrencySpec(key="gpu", limit=2)
    request = asked(kind=RunKind.BACKGROUND, concurrency=own, defaults=defaults)
    assert [(place.key, place.limit) for place in request.concurrency] == [("gpu", 2), ("kind:background", 5)]
    assert request.rate_limits == (rate,)


def test_a_retried_run_asks_for_what_it_had_held() -> None:
    request = asked(run_locks={"lock:x": "exclusive", "lock:y": "shared"})
    assert request.locks == (LockSpec(name="x", hold="run"), LockSpec(name="y", shared=True, hold="run"))


def test_no_secret_stands_in_a_name_and_names_that_differ_in_it_stay_two() -> None:
    redactor = Redactor()
    redactor.add("hunter2secret")
    names = ["repo:https://bob:hunter2secret@git.example/x", "key:hunter2secret", "https://bob:other@git.example/x"]
    request = shown_safely(asked({"locks": [{"name": name} for name in names]}), redactor)
    shown = [lock.name for lock in request.locks]
    assert not any(secret in name for name in shown for secret in ("hunter2secret", "other"))
    assert len(set(shown)) == 3
    assert shown == [
        lock.name for lock in shown_safely(asked({"locks": [{"name": name} for name in names]}), redactor).locks
    ]


def test_names_without_secrets_stay_as_they_are() -> None:
    request = asked({"locks": [{"name": "file:/srv/db.sqlite"}], "breaker": {"name": "openai"}})
    assert shown_safely(request, Redactor()) == request


@pytest.mark.parametrize(("priority", "sends", "expected"), [(5, 0, 5), (1, 4, 2), (1, 8, 9), (20, 50, 20)])
def test_a_step_that_waits_for_a_worker_gains_priority_with_its_age(priority: int, sends: int, expected: int) -> None:
    assert aged_priority(priority, sends, 2.0) == expected


def test_nothing_starves_in_the_broker() -> None:
    assert aged_priority(1, 20, 2.0) == HIGHEST_PRIORITY
