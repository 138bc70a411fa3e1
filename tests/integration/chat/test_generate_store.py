"""What PostgreSQL keeps of an answer: the fence of its text, what a claim tells of it, and that each message ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.actions.registry import load_actions
from orchestration.chat.chats import Chats
from orchestration.chat.reading import Conversations
from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost, Outcome, Snoozed, StepError, Succeeded
from orchestration.engine.leases import Held, Lease
from orchestration.engine.runs import Runs
from orchestration.errors import LeaseLost
from orchestration.store.database import FUNCTIONS_SCHEMA
from schemas.chat import ChatAnswer, ChatRequest
from schemas.events import NoticeEvent
from schemas.statuses import WaitReason
from tests.support.chat import stored_text
from tests.support.engine import ALICE, RESEND_S, Harness, broken_invariants

DONE = Succeeded(
    {
        "message": "Hi",
        "details": {"text": "Hi", "finish_reason": "stop", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    }
)
MIXTURE = {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/fast"}


class Talk(Harness):
    """The engine with chats, and no worker but the test."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        parts = (self.database, self.recorder, self.recorder)
        self.runs = Runs(*parts, load_actions(), resend_s=RESEND_S)
        self.chats = Chats(
            self.database,
            self.runs.starts,
            self.recorder,
            check_model=lambda _name: None,
            mixtures={},
            default_model="demo/fast",
        )
        self.conversations = Conversations(self.database)

    def ask(self, **fields: Any) -> ChatAnswer:
        body = {"id": "talk", "message": {"parts": [{"type": "text", "text": "Hi?"}]}} | fields
        return self.chats.say(ChatRequest.model_validate(body), ALICE)

    def take(self, answer: ChatAnswer, position: int = 0) -> Lease:
        lease = self.attempts.claim(answer.taskId, position, "w1")
        assert lease is not None
        return lease

    def message(self, answer: ChatAnswer) -> dict[str, Any]:
        return self.conversations.message(answer.id)

    def lose(self, lease: Lease) -> None:
        """The process that wrote it died, and it alone."""
        assert self.sweep.end_attempt(Held(lease.run, lease.position, lease.attempt), Lost(counted=True)) == 1

    def notices(self) -> list[tuple[str, str | None]]:
        events = [event for _, event in self.recorder.events if isinstance(event, NoticeEvent) and event.error]
        return [(event.notice, event.key) for event in events]


@pytest.fixture
def talk(database_url: str) -> Iterator[Talk]:
    harness = Talk(database_url)
    yield harness
    assert broken_invariants(harness.database) == {}
    harness.close()


def test_a_text_is_stored_for_the_attempt_that_holds_the_step_alone(talk: Talk) -> None:
    answer = talk.ask()
    lease = talk.take(answer)
    talk.attempts.save_text(lease, 0, "Hello")
    talk.lose(lease)
    with pytest.raises(LeaseLost):
        talk.attempts.save_text(lease, 5, " late")
    later = talk.take(answer)
    with pytest.raises(LeaseLost):
        talk.attempts.save_text(lease, 0, "late")
    talk.attempts.save_text(later, 5, " you")
    talk.finish(later, DONE)
    with pytest.raises(LeaseLost):
        talk.attempts.save_text(later, 9, "!")
    assert stored_text(talk.database, answer.taskId) == "Hello you"


@pytest.mark.parametrize("offset", [1, 6, 100])
def test_a_text_that_would_leave_a_hole_is_not_stored(talk: Talk, offset: int) -> None:
    answer = talk.ask()
    lease = talk.take(answer)
    if offset > 1:
        talk.attempts.save_text(lease, 0, "Hello")
    with pytest.raises(LeaseLost):
        talk.attempts.save_text(lease, offset, "x")
    assert stored_text(talk.database, answer.taskId) == (None if offset == 1 else "Hello")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saves=st.lists(st.tuples(st.integers(0, 12), st.text(max_size=5), st.booleans()), max_size=8))
def test_texts_are_stored_from_an_offset_on_also_twice(talk: Talk, saves: list[tuple[int, str, bool]]) -> None:
    answer = talk.ask(id=f"talk{talk.database.call('SELECT count(*) FROM messages')}")
    lease = talk.take(answer)
    wanted: str | None = None
    for offset, said, twice in saves:
        text = said.replace("\0", "")
        if offset > 0 and (wanted is None or offset > len(wanted)):
            with pytest.raises(LeaseLost):
                talk.attempts.save_text(lease, offset, text)
            continue
        for _ in range(2 if twice else 1):
            talk.attempts.save_text(lease, offset, text)
        wanted = (wanted or "")[:offset] + text
    assert stored_text(talk.database, answer.taskId) == wanted


def test_no_attempt_is_taken_over_between_the_look_and_the_write(talk: Talk, database_url: str) -> None:
    answer = talk.ask()
    lease = talk.take(answer)
    ended = threading.Event()

    def take_over() -> None:
        talk.lose(lease)
        ended.set()

    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"SET search_path = {FUNCTIONS_SCHEMA}, public")
        cursor.execute(
            "SELECT save_text(%s, %s, %s, 0, 0, %s)", (lease.run, lease.position, lease.attempt, "written in time")
        )
        thread = threading.Thread(target=take_over)
        thread.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not talk.database.call(waiting):
            assert not ended.is_set(), "taken over although a text is being stored"
    thread.join(10)
    connection.close()
    assert ended.is_set()
    assert talk.take(answer).written == "written in time"


@pytest.mark.parametrize(
    ("outcome", "until"),
    [
        (Lost(counted=False), "lost"),
        (HandedBack(), "handed_back"),
        (Failed(StepError("model.cut_off", "cut")), "model.cut_off"),
    ],
)
def test_a_claim_tells_what_was_written_and_why_it_ends_there(talk: Talk, outcome: Outcome, until: str) -> None:
    answer = talk.ask()
    lease = talk.take(answer)
    assert (lease.written, lease.written_until, lease.written_by) == ("", "", None)
    talk.attempts.save_text(lease, 0, "Hello")
    if isinstance(outcome, Lost):
        talk.sweep.end_attempt(Held(lease.run, lease.position, lease.attempt), outcome)
    else:
        talk.finish(lease, outcome)
    talk.database.execute("UPDATE steps SET status = 'ready', waiting_for = NULL WHERE status = 'waiting'")
    # An attempt that wrote nothing changes nothing of it.
    talk.finish(talk.take(answer), HandedBack())
    later = talk.take(answer)
    assert (later.written, later.written_until, later.written_by) == ("Hello", until, (1, 0))


def test_a_claim_tells_why_an_attempt_ended_of_which_nothing_was_stored(talk: Talk) -> None:
    """Readers may have heard something of it all the same."""
    answer = talk.ask()
    lease = talk.take(answer)
    talk.sweep.end_attempt(Held(lease.run, lease.position, lease.attempt), Lost(counted=False))
    # It waited since, and wrote nothing: that says nothing of what was heard.
    waiting = talk.take(answer)
    talk.finish(waiting, Snoozed(WaitReason.RATE_LIMIT, waiting.claimed_at))
    talk.database.execute("UPDATE steps SET status = 'ready', waiting_for = NULL WHERE status = 'waiting'")
    later = talk.take(answer)
    assert (later.written, later.written_until, later.written_by) == ("", "lost", (1, 0))


def test_a_message_is_closed_however_its_step_ends(talk: Talk) -> None:
    ends: dict[str, Outcome] = {
        "completed": DONE,
        "failed": Failed(StepError("model.refused", "no"), permanent=True),
        "stopped": Cancelled(),
    }
    for status, outcome in ends.items():
        answer = talk.ask(id=f"talk-{status}")
        lease = talk.take(answer)
        talk.attempts.save_text(lease, 0, "Hi")
        if status == "stopped":
            talk.runs.stop(answer.taskId, ALICE)
        assert talk.message(answer)["status"] == "writing"
        talk.finish(lease, outcome)
        message = talk.message(answer)
        assert (message["status"], message["text"]) == (status, "Hi")
        assert (message["error"] or {}).get("code") == ("model.refused" if status == "failed" else None)


def test_a_stop_before_anybody_began_closes_all_messages(talk: Talk) -> None:
    answer = talk.ask(mixture=MIXTURE)
    talk.runs.stop(answer.taskId, ALICE)
    message = talk.message(answer)
    assert [message["status"], *(p["status"] for p in message["proposals"])] == ["stopped"] * 3


def test_an_agent_that_is_lost_for_good_is_told_of_by_the_sweep_and_the_others_go_on(talk: Talk) -> None:
    answer = talk.ask(mixture=MIXTURE)
    for time_lost in range(3):
        assert talk.notices() == [], time_lost
        talk.lose(talk.take(answer, 0))
    assert talk.notices() == [("chat:message:error", "agent1")]
    talk.finish(talk.take(answer, 1), DONE)
    talk.finish(talk.take(answer, 2), DONE)
    message = talk.message(answer)
    assert [message["status"], *(p["status"] for p in message["proposals"])] == ["completed", "failed", "completed"]
    assert message["proposals"][0]["error"]["code"] == "worker_lost"
    assert len(talk.notices()) == 1


def test_an_answer_that_is_lost_for_good_closes_its_message_and_its_run(talk: Talk) -> None:
    answer = talk.ask()
    for _ in range(3):
        lease = talk.take(answer)
        talk.attempts.save_text(lease, 0, "Hello")
        talk.lose(lease)
    message = talk.message(answer)
    assert (message["status"], message["text"], message["error"]["code"]) == ("failed", "Hello", "worker_lost")
    assert talk.notices() == []
    assert talk.database.call("SELECT status FROM runs WHERE public_id = %s", answer.taskId) == "failed"


def test_an_expired_lease_gives_an_answer_to_the_next_worker_with_what_was_written(talk: Talk) -> None:
    answer = talk.ask()
    lease = talk.take(answer)
    talk.attempts.save_text(lease, 0, "Hello")
    talk.database.execute("UPDATE steps SET lease_until = clock_now() - interval '1 s' WHERE status = 'in_progress'")
    assert talk.sweep.expired() == 1
    message = talk.message(answer)
    assert (message["status"], message["text"], message["step"]["status"]) == ("writing", "Hello", "ready")
    assert talk.take(answer).written == "Hello"
