"""Gates whose Valkey is closed, or frozen: steps pass, and whoever looks at them is told why they stood still."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from messaging.breakers import ValkeyBreakers
from messaging.rate_limits import ValkeyRateLimits
from orchestration.actions.context import CancelToken
from orchestration.core.decide import Outcome, Succeeded
from orchestration.gates import BreakerGate, RateLimitGate
from orchestration.redaction import Redactor
from tests.support.engine import AnyParams, declare
from tests.support.leases import make_lease
from workers.gating import UNASKED, Gating

pytestmark = pytest.mark.integration

FLOW = {"breaker": {"name": "openai"}, "rate_limits": [{"name": "openai", "limit": 10, "per_s": 1}]}


@pytest.fixture(params=["closed", "frozen", "there"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """Where Valkey is, and whether it answers. One that is frozen takes connections and says nothing."""
    if request.param == "there":
        yield request.getfixturevalue("redis_url"), True
    elif request.param == "closed":
        yield "redis://127.0.0.1:1/0", False
    else:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            yield f"redis://127.0.0.1:{silent.getsockname()[1]}/0", False


def test_a_step_says_that_valkey_does_not_answer_whether_it_is_closed_or_frozen(server: tuple[str, bool]) -> None:
    url, answers = server
    told: list[str] = []

    def act() -> Outcome:
        told.append("acts")
        return Succeeded({})

    gating = Gating((BreakerGate(ValkeyBreakers(url)), RateLimitGate(ValkeyRateLimits(url))))
    outcome = gating.outcome(
        make_lease(flow=FLOW),
        declare("work"),
        AnyParams(),
        {},
        CancelToken(),
        Redactor(),
        act,
        tell=told.append,
    )
    assert outcome == Succeeded({})
    # Once, however many gates there are, and before it goes on.
    assert told == (["acts"] if answers else [UNASKED, "acts"])
