"""Who works on what, and what waits: `GET /workflow/workers`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from api.flower import flower_port
from api.services import Services
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.queues import QueueLengths
from orchestration.core.decide import Failed, Snoozed, StepError
from orchestration.engine.sweep import Sweep
from orchestration.ports import ReadyStep
from schemas.answers.workers import QueueShown, WorkersAnswer
from schemas.statuses import WaitReason
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_controls import start
from tests.api.workflow.test_start import document
from tests.support.engine import Recorder
from tests.support.workers import wait_until
from workers.session import WorkerSession

DECLARED = {"pool": "threads", "concurrency": 16, "queues": ["default", "ssh"]}
STAND_STILL = """
DO $$ BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION clock_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS %L',
                   format('SELECT %L::timestamptz', clock_now()));
END $$"""


def overview(client: FlaskClient) -> WorkersAnswer:
    answer = client.get("/workflow/workers")
    assert answer.status_code == 200, answer.text
    return WorkersAnswer.model_validate(document(answer))


def queue(found: WorkersAnswer, name: str = "default") -> QueueShown:
    return next(shown for shown in found.queues if shown.name == name)


@pytest.fixture
def session(services: Services) -> Iterator[WorkerSession]:
    """The session of a worker that lives."""
    session = WorkerSession(services.settings.database_url, "w1", "io@box", 4711, DECLARED)
    session.ensure()
    yield session
    session.drop()


def lose(session: WorkerSession, services: Services) -> None:
    """End the session as PostgreSQL sees it, which is a moment after the connection was closed."""
    session.drop()
    gone = "SELECT NOT EXISTS (SELECT FROM worker_sessions('w1'))"
    wait_until(lambda: services.database.call(gone), 10, lambda: "the session is still there")


def back_again(services: Services) -> WorkerSession:
    """A session of the same worker, after the one before was lost."""
    session = WorkerSession(services.settings.database_url, "w1", "io@box", 4711, DECLARED)
    session.ensure()
    return session


def test_a_worker_is_shown_with_what_it_is_and_has_in_hand(
    viewer: FlaskClient, operator: FlaskClient, worker: Worker, session: WorkerSession
) -> None:
    run_id = start(operator, "a", "b")
    worker.run(run_id)
    worker.claim(run_id, 1)
    (shown,) = overview(viewer).workers
    assert (shown.name, shown.pid, shown.lost) == ("io@box", 4711, False)
    assert (shown.pool, shown.concurrency, shown.queues) == ("threads", 16, ["default", "ssh"])
    (step,) = shown.steps
    assert (step.workflow_id, step.index, step.key, step.label, step.action, step.attempt) == (
        run_id, 1, "b", "b", "work", 1,
    )  # fmt: skip


def test_a_worker_of_the_release_before_says_less(viewer: FlaskClient, services: Services) -> None:
    services.database.execute("INSERT INTO workers VALUES ('w0', 'io@old', 'old', 'boot', 1, clock_now())")
    (shown,) = overview(viewer).workers
    assert (shown.pool, shown.concurrency, shown.queues, shown.lost) == (None, None, None, True)


def test_a_worker_without_session_is_lost_until_it_is_back_and_gone_once_it_said_good_bye(
    viewer: FlaskClient, services: Services, session: WorkerSession
) -> None:
    lose(session, services)
    assert [shown.lost for shown in overview(viewer).workers] == [True]
    again = back_again(services)
    assert [shown.lost for shown in overview(viewer).workers] == [False]
    again.close()
    assert overview(viewer).workers == []


def test_leases_are_a_sign_of_life_too_and_their_end_a_sign_of_loss(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, session: WorkerSession
) -> None:
    worker.claim(start(operator, "a"))
    lose(session, services)
    assert [shown.lost for shown in overview(viewer).workers] == [False]
    back = back_again(services)
    services.database.execute("UPDATE steps SET lease_until = clock_now() - interval '1 s' WHERE owner = 'w1'")
    assert [shown.lost for shown in overview(viewer).workers] == [True]
    back.drop()


def test_a_worker_that_is_lost_for_a_day_is_taken_for_ended_and_may_still_come_back(
    viewer: FlaskClient, services: Services, recorder: Recorder, session: WorkerSession
) -> None:
    sweep = Sweep(services.database, recorder, recorder, lease_s=15, resend_s=2)
    noted = "SELECT lost_at IS NOT NULL FROM workers"
    sweep.note_lost_workers()
    assert services.database.call(noted) is False
    lose(session, services)
    sweep.note_lost_workers()
    assert services.database.call(noted) is True
    assert len(overview(viewer).workers) == 1
    services.database.execute("UPDATE workers SET lost_at = lost_at - interval '25 hours'")
    sweep.note_lost_workers()
    assert overview(viewer).workers == []
    back = back_again(services)
    assert [shown.lost for shown in overview(viewer).workers] == [False]
    back.drop()


def test_queues_say_how_many_steps_wait_and_how_long(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, session: WorkerSession
) -> None:
    # At one moment: what the calls take is not part of what steps waited.
    services.database.execute(STAND_STILL)
    runs = [start(operator, "a") for _ in range(4)]
    worker.claim(runs[0])
    paused = runs[1]
    operator.post("/workflow/pause", json={"workflow_id": paused})
    found = queue(overview(viewer))
    assert (found.ready, found.in_progress) == (2, 1)
    assert found.oldest_s == 0
    # Sent for the third time: 2 + 4 + 8 s after it became ready, 1 s from now.
    services.database.execute(
        "UPDATE steps SET sends = 2, due_at = clock_now() + interval '1 s' WHERE run_id = "
        "(SELECT id FROM runs WHERE public_id = %s)",
        runs[3],
    )
    assert queue(overview(viewer)).oldest_s == 13
    assert (queue(overview(viewer), "ssh").ready, queue(overview(viewer), "ssh").oldest_s) == (0, None)


def test_steps_that_wait_for_something_else_hide_none_that_waits_for_a_worker(
    operator: FlaskClient, services: Services, worker: Worker
) -> None:
    for _ in range(3):
        run_id = start(operator, "a")
        worker.run(run_id, 0, Snoozed(WaitReason.DELAY, datetime.now(UTC) + timedelta(seconds=60)))
    start(operator, "a")
    services.database.execute("UPDATE steps SET due_at = clock_now() WHERE status = 'waiting'")
    found = services.database.call("SELECT shown_workers(2, 2)")
    assert found["queues"]["default"]["ready"] == 1
    assert found["waiting"] == {"delay": 2}, "counted up to as many as were asked for"


def test_a_worker_with_much_in_hand_is_shown_with_what_it_began_first(
    viewer: FlaskClient, operator: FlaskClient, services: Services, worker: Worker, session: WorkerSession
) -> None:
    run_id = start(operator, *(f"s{n}" for n in range(101)))
    services.database.execute(
        "UPDATE steps SET status = 'in_progress', blocked_by = 0, due_at = NULL, owner = 'w1', attempt = 1, "
        "lease_until = clock_now() + interval '15 s', started_at = clock_now() - make_interval(secs => position)"
    )
    (shown,) = overview(viewer).workers
    assert [step.index for step in shown.steps] == list(range(100, 0, -1))
    assert {step.workflow_id for step in shown.steps} == {run_id}
    assert shown.steps[0].label == "s100"


def test_messages_are_counted_over_all_priorities(
    viewer: FlaskClient, services: Services, session: WorkerSession
) -> None:
    dispatcher = CeleryDispatcher(make_celery(services.redis_url))
    dispatcher.send([ReadyStep("r", 0, "work", "ssh", priority) for priority in (1, 5, 10, 20, 20)])
    found = overview(viewer)
    assert (queue(found, "ssh").messages, queue(found, "default").messages) == (5, 0)


def test_without_valkey_the_number_of_messages_is_not_known() -> None:
    assert QueueLengths("redis://127.0.0.1:1/0").ask(["default"]) is None


def test_waiting_steps_are_counted_by_what_they_wait_for(
    viewer: FlaskClient, operator: FlaskClient, worker: Worker
) -> None:
    for outcome in (Snoozed(WaitReason.SIGNAL, None), Snoozed(WaitReason.SIGNAL, None)):
        run_id = start(operator, "approve")
        worker.run(run_id, 0, outcome)
    delayed = start(operator, "a", "b", step_delay_s=60)
    worker.run(delayed)
    worker.run(start(operator, "a"), 0, Failed(StepError("broken", "it broke")))
    found = overview(viewer)
    assert (found.waiting, found.at_most) == ({"signal": 2, "delay": 1}, 10_000)


def test_the_port_of_flower_is_named_while_something_listens_there(viewer: FlaskClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        assert flower_port(port) == port
    assert flower_port(port) is None


def test_it_is_for_those_who_are_signed_in(anonymous: FlaskClient) -> None:
    assert anonymous.get("/workflow/workers").status_code == 401
