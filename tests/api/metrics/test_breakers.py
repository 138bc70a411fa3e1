"""`/api/orchestration/circuit-breakers`: seen by everybody, set by admins, each change kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
import redis
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.test import TestResponse

from api.services import Services
from messaging.breakers import ValkeyBreakers
from orchestration.core.decide import Snoozed
from orchestration.engine.breaker_history import BreakerHistory
from orchestration.engine.breaker_orders import BreakerOrders
from orchestration.gates.breaker import BreakerState, Change, Passed, Refused
from schemas.answers.metrics import BreakerAnswer, BreakerChangesAnswer, BreakersAnswer, BreakersResetAnswer
from schemas.flow import BreakerSpec
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.support.engine import Recorder

Model = TypeVar("Model", bound=BaseModel)
BREAKERS = "/api/orchestration/circuit-breakers"


@pytest.fixture
def opened(services: Services) -> ValkeyBreakers:
    """Two breakers that are open."""
    store = ValkeyBreakers(services.redis_url)
    for name in ("openai", "ssh:10.1.2.3"):
        store.force(name, BreakerState.OPEN)
    return store


def read(model: type[Model], answer: TestResponse) -> Model:
    """An answer, held against what is said of it."""
    assert answer.status_code == 200, answer.text
    return model.model_validate_json(answer.data, extra="forbid", strict=True)


def park(operator: FlaskClient, worker: Worker, on: str) -> str:
    run_id = start(operator, "a")
    worker.run(run_id, 0, Snoozed(WaitReason.BREAKER, datetime.now(UTC) + timedelta(days=1), on))
    return run_id


def test_breakers_are_listed_and_shown(viewer: FlaskClient, opened: ValkeyBreakers) -> None:
    found = read(BreakersAnswer, viewer.get(BREAKERS))
    assert {(each.name, each.state) for each in found.breakers} == {("openai", "open"), ("ssh:10.1.2.3", "open")}
    one = read(BreakerAnswer, viewer.get(f"{BREAKERS}/one?name=ssh:10.1.2.3"))
    assert (one.breaker.name, one.breaker.forced) == ("ssh:10.1.2.3", "open")
    answer = viewer.get(f"{BREAKERS}/one?name=nobody")
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "unknown_breaker")


@pytest.mark.parametrize("by_get", [False, True])
def test_a_reset_closes_wakes_is_kept_and_audited(
    admin: FlaskClient, operator: FlaskClient, viewer: FlaskClient, services: Services, worker: Worker,
    recorder: Recorder, opened: ValkeyBreakers, by_get: bool,
) -> None:  # fmt: skip
    parked = [park(operator, worker, "breaker:openai") for _ in range(3)]
    park(operator, worker, "breaker:ssh:10.1.2.3")
    recorder.sent.clear()
    if by_get:
        answer = admin.get(f"{BREAKERS}/reset?name=openai")
        assert answer.headers["Deprecation"].startswith("@")
    else:
        answer = admin.post(f"{BREAKERS}/reset", json={"name": "openai"})
        assert "Deprecation" not in answer.headers
    found = read(BreakersResetAnswer, answer)
    assert (found.changed, found.woken) == (["openai"], 2)
    assert {step.run_id for step in recorder.sent} < set(parked)
    assert len(recorder.sent) == 2
    known = opened.one("openai")
    assert known is not None
    assert known.state is BreakerState.CLOSED
    changes = read(BreakerChangesAnswer, viewer.get(f"{BREAKERS}/changes")).changes
    assert [(c.name, c.before, c.after, c.actor) for c in changes] == [("openai", "open", "closed", "admin")]
    records = admin.get("/audit").json or {}
    assert [(r["action"], r["target"]) for r in records["records"] if r["action"].startswith("breaker")] == [
        ("breaker.reset", "openai")
    ]


def test_all_are_reset_together(admin: FlaskClient, opened: ValkeyBreakers) -> None:
    found = read(BreakersResetAnswer, admin.post(f"{BREAKERS}/reset", json={}))
    assert sorted(found.changed) == ["openai", "ssh:10.1.2.3"]
    assert {each.state for each in opened.all()} == {BreakerState.CLOSED}


def test_a_breaker_is_forced_and_left_to_itself_again(
    admin: FlaskClient, operator: FlaskClient, worker: Worker, recorder: Recorder, services: Services
) -> None:
    store = ValkeyBreakers(services.redis_url)
    assert admin.post(f"{BREAKERS}/force", json={"name": "new", "state": "open"}).status_code == 200
    status = store.one("new")
    assert status is not None
    assert status.forced is BreakerState.OPEN
    park(operator, worker, "breaker:new")
    recorder.sent.clear()
    answer = admin.post(f"{BREAKERS}/force", json={"name": "new", "state": "auto"})
    assert read(BreakersResetAnswer, answer).woken == 1
    status = store.one("new")
    assert status is not None
    assert (status.forced, status.state) == (None, BreakerState.CLOSED)


def test_only_admins_change_breakers(operator: FlaskClient, viewer: FlaskClient, opened: ValkeyBreakers) -> None:
    for client in (operator, viewer):
        assert client.post(f"{BREAKERS}/reset", json={}).status_code == 403
        assert client.get(f"{BREAKERS}/reset").status_code == 403
        assert client.post(f"{BREAKERS}/force", json={"name": "openai", "state": "closed"}).status_code == 403
    status = opened.one("openai")
    assert status is not None
    assert status.state is BreakerState.OPEN


def test_a_reset_wakes_who_waits_on_a_breaker_that_a_wipe_took(
    admin: FlaskClient, operator: FlaskClient, worker: Worker, recorder: Recorder, opened: ValkeyBreakers,
    services: Services,
) -> None:  # fmt: skip
    for on in ("breaker:openai", "breaker:other", "rate:zulu"):
        park(operator, worker, on)
    with redis.Redis.from_url(services.redis_url) as valkey:
        valkey.flushdb()
    recorder.sent.clear()
    assert read(BreakersResetAnswer, admin.post(f"{BREAKERS}/reset", json={"name": "openai"})).woken == 1
    assert read(BreakersResetAnswer, admin.post(f"{BREAKERS}/reset", json={})).woken == 1
    assert len(recorder.sent) == 2


@pytest.mark.parametrize("end", ["auto", "reset"])
def test_what_was_forced_outlives_a_wipe_until_somebody_says_otherwise(
    admin: FlaskClient, services: Services, end: str
) -> None:
    spec = BreakerSpec(name="new")
    assert admin.post(f"{BREAKERS}/force", json={"name": "new", "state": "open"}).status_code == 200
    worker = ValkeyBreakers(services.redis_url, orders=BreakerOrders(services.database).known)
    with redis.Redis.from_url(services.redis_url) as valkey:
        valkey.flushdb()
        assert isinstance(worker.acquire(spec, probe_s=1), Refused)
        valkey.flushdb()
        orders = {"auto": ("force", {"name": "new", "state": "auto"}), "reset": ("reset", {"name": "new"})}
        path, body = orders[end]
        assert admin.post(f"{BREAKERS}/{path}", json=body).status_code == 200
        assert isinstance(worker.acquire(spec, probe_s=1), Passed)
        valkey.flushdb()
        assert isinstance(worker.acquire(spec, probe_s=1), Passed)


def test_unknown_breakers_are_not_reset(admin: FlaskClient) -> None:
    assert admin.post(f"{BREAKERS}/reset", json={"name": "nobody"}).status_code == 404


def test_changes_are_read_page_by_page(viewer: FlaskClient, services: Services) -> None:
    history = BreakerHistory(services.database)
    for n in range(5):
        history.note(Change(f"b{n % 2}", BreakerState.CLOSED, BreakerState.OPEN, datetime.now(UTC), f"why {n}"))
    first = read(BreakerChangesAnswer, viewer.get(f"{BREAKERS}/changes?limit=3"))
    assert [change.why for change in first.changes] == ["why 4", "why 3", "why 2"]
    rest = read(BreakerChangesAnswer, viewer.get(f"{BREAKERS}/changes?limit=3&cursor={first.next}"))
    assert ([change.why for change in rest.changes], rest.next) == (["why 1", "why 0"], None)
    mine = read(BreakerChangesAnswer, viewer.get(f"{BREAKERS}/changes?name=b1"))
    assert [change.why for change in mine.changes] == ["why 3", "why 1"]
