"""However a step ends, its message tells it as soon as the step has ended, in the same transaction."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from orchestration.core.decide import MAX_LOSSES, Cancelled, Failed, Lost, StepError, Succeeded
from orchestration.engine.leases import Held
from orchestration.errors import LeaseLost
from schemas.chat import ChatAnswer
from schemas.json import JsonObject
from tests.support.chat_engine import Talk, answered
from tests.support.engine import ALICE, LEASE_S, TestClock

REFUSED = Failed(StepError("model.refused", "no such model"), permanent=True)
CUT_OFF = Failed(StepError("model.cut_off", "it broke off"))
MIXTURE = {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/slow"}


def test_completed_with_what_the_step_came_to(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Hello, stored")
    talk.finish(lease, answered("Hello, filtered"))
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["finish_reason"]) == ("completed", "Hello, filtered", "stop")
    assert found["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "estimated": False}
    assert found["timings"]["tokens_per_s"] == 50.0
    assert found["ended_at"] == talk.database.call(
        "SELECT to_jsonb(s.ended_at) FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s", said.taskId
    )


def test_failed_with_what_was_written_and_why(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Half of")
    talk.finish(lease, REFUSED)
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["finish_reason"]) == ("failed", "Half of", "error")
    assert (found["error"]["code"], found["error"]["message"]) == ("model.refused", "no such model")


def test_stopped_before_it_began(talk: Talk) -> None:
    said = talk.say()
    talk.runs.stop(said.taskId, ALICE)
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["finish_reason"], found["error"]) == ("stopped", "", "stopped", None)
    assert found["ended_at"] is not None


def test_stopped_in_mid_way_with_what_was_written(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Half of")
    talk.runs.stop(said.taskId, ALICE)
    assert talk.message(said.id)["status"] == "writing", "not stopped until the worker says so"
    talk.finish(lease, Cancelled())
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["finish_reason"]) == ("stopped", "Half of", "stopped")


def test_stopped_while_it_waits_for_its_next_attempt(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Half of")
    talk.finish(lease, CUT_OFF)
    waiting = talk.message(said.id)
    assert (waiting["status"], waiting["text"], waiting["error"]) == ("writing", "Half of", None)
    assert (waiting["step"]["status"], waiting["step"]["waiting_for"]) == ("waiting", "retry")
    assert waiting["step"]["until"] is not None
    talk.runs.stop(said.taskId, ALICE)
    assert (talk.message(said.id)["status"], talk.message(said.id)["text"]) == ("stopped", "Half of")


def test_an_attempt_that_fails_and_is_followed_by_another_is_no_end(talk: Talk, clock: TestClock) -> None:
    said = talk.say()
    talk.finish(talk.take(said), CUT_OFF)
    clock.advance(60)
    talk.sweep.due()
    talk.finish(talk.take(said), answered("All of it"))
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["text_attempt"], found["error"]) == (
        "completed",
        "All of it",
        2,
        None,
    )


def test_skipped_reads_stopped(talk: Talk) -> None:
    said = talk.say()
    talk.finish(talk.take(said), REFUSED)
    talk.runs.skip(said.taskId, ALICE, step="answer")
    assert talk.message(said.id)["status"] == "stopped"


def test_lost_and_taken_up_by_another_worker_it_goes_on(talk: Talk, clock: TestClock) -> None:
    said = talk.say()
    stale = talk.take(said)
    talk.attempts.save_text(stale, 0, "Half of")
    clock.advance(LEASE_S + 1)
    assert talk.sweep.expired() == 1
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["step"]["status"]) == ("writing", "Half of", "ready")
    lease = talk.take(said)
    assert lease.written == "Half of"
    with pytest.raises(LeaseLost):
        talk.finish(stale, answered("From the grave"))
    assert talk.message(said.id)["status"] == "writing"
    talk.finish(lease, answered("Half of it, and the rest"))
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["text_attempt"]) == ("completed", "Half of it, and the rest", 2)


def test_lost_for_good_with_what_was_written(talk: Talk) -> None:
    """The step itself is the suspect: each worker that took it died of it."""
    said = talk.say()
    for number in range(MAX_LOSSES):
        lease = talk.take(said)
        if number == 0:
            talk.attempts.save_text(lease, 0, "Half of")
        held = Held(lease.run, lease.position, lease.attempt)
        assert talk.sweep.end_attempt(held, Lost(counted=True)) == 1
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["finish_reason"]) == ("failed", "Half of", "error")
    assert found["error"]["code"] == "worker_lost"


def test_retried_it_is_written_again_from_nothing(talk: Talk) -> None:
    said = talk.say()
    lease = talk.take(said)
    talk.attempts.save_text(lease, 0, "Half of")
    talk.finish(lease, REFUSED)
    talk.runs.retry(said.taskId, ALICE, step="answer")
    found = talk.message(said.id)
    assert (found["status"], found["text"]) == ("writing", "")
    assert [found[name] for name in ("error", "finish_reason", "usage", "timings", "ended_at")] == [None] * 5
    again = talk.take(said)
    assert again.written == ""
    talk.finish(again, answered("All of it"))
    assert talk.message(said.id)["text"] == "All of it"


def test_what_a_mixture_comes_to_is_in_each_of_its_messages(talk: Talk) -> None:
    said = talk.say(mixture=MIXTURE)
    talk.answer(said, "First draft", 0)
    talk.finish(talk.take(said, 1), REFUSED)
    talk.answer(said, "Made of one", 2)
    found = talk.message(said.id)
    assert (found["status"], found["text"]) == ("completed", "Made of one")
    assert [(one["status"], one["text"]) for one in found["proposals"]] == [
        ("completed", "First draft"),
        ("failed", ""),
    ]
    talk.runs.retry(said.taskId, ALICE, step="agent2")
    found = talk.message(said.id)
    assert (found["status"], [one["status"] for one in found["proposals"]]) == ("writing", ["completed", "writing"])


def finished_mixture(talk: Talk) -> ChatAnswer:
    """One whose second agent failed, and whose answer is made of the first one's proposal."""
    said = talk.say(mixture=MIXTURE)
    talk.answer(said, "First draft", 0)
    talk.finish(talk.take(said, 1), REFUSED)
    lease = talk.take(said, 2)
    talk.attempts.save_text(lease, 0, "Made of one")
    talk.finish(lease, answered("Made of one"))
    return said


def shown(message: JsonObject) -> tuple[object, ...]:
    return tuple(
        message[name] for name in ("status", "text", "text_attempt", "finish_reason", "usage", "timings", "ended_at")
    )


def test_a_finished_answer_is_read_while_an_agent_of_it_is_asked_again(talk: Talk) -> None:
    said = finished_mixture(talk)
    before = talk.message(said.id)
    talk.runs.retry(said.taskId, ALICE, step="agent2")
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["usage"]) == ("writing", "Made of one", before["usage"])
    assert [one["status"] for one in found["proposals"]] == ["completed", "writing"]
    follows = talk.say("And then?", parent=said.id)
    told = talk.runs.workflow(follows.taskId).params["request"]["messages"]
    assert told[-2]["content"] == "Made of one", "what was finished holds for what is said meanwhile"
    talk.answer(said, "Second draft", 1)
    lease = talk.take(said, 2)
    assert (lease.written, lease.kept["details"]["text"]) == ("", "Made of one")
    assert talk.message(said.id)["text"] == "Made of one"
    talk.attempts.save_text(lease, 0, "Made of")
    assert talk.message(said.id)["text"] == "Made of"
    talk.finish(lease, answered("Made of two"))
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["text_attempt"]) == ("completed", "Made of two", 2)


@pytest.mark.parametrize("written", ["", "Made of tw"])
def test_a_finished_answer_stays_where_writing_it_anew_comes_to_nothing(talk: Talk, written: str) -> None:
    said = finished_mixture(talk)
    before = shown(talk.message(said.id))
    for number in (1, 2):
        talk.runs.retry(said.taskId, ALICE, step="agent2")
        talk.answer(said, f"Draft {number}", 1)
        lease = talk.take(said, 2)
        if written:
            talk.attempts.save_text(lease, 0, written)
        talk.finish(lease, REFUSED)
        found = talk.message(said.id)
        assert shown(found) == before
        assert (found["error"]["code"], found["step"]["status"]) == ("model.refused", "failed")
    # What failed since can be tried again by itself, and is then the answer.
    talk.runs.retry(said.taskId, ALICE, step="answer")
    assert talk.message(said.id)["error"] is None
    talk.answer(said, "Made of all", 2)
    assert (talk.message(said.id)["text"], talk.message(said.id)["status"]) == ("Made of all", "completed")


def test_a_finished_answer_stays_where_writing_it_anew_is_stopped(talk: Talk) -> None:
    said = finished_mixture(talk)
    before = shown(talk.message(said.id))
    talk.runs.retry(said.taskId, ALICE, step="agent2")
    talk.runs.stop(said.taskId, ALICE)
    found = talk.message(said.id)
    assert shown(found) == before
    assert [one["status"] for one in found["proposals"]] == ["completed", "stopped"]


def test_an_answer_that_was_left_as_it_was_is_that_of_the_attempt_that_wrote_it(talk: Talk) -> None:
    said = finished_mixture(talk)
    talk.runs.retry(said.taskId, ALICE, step="agent2")
    talk.finish(talk.take(said, 1), REFUSED)
    lease = talk.take(said, 2)
    talk.finish(lease, Succeeded(lease.kept))
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["text_attempt"]) == ("completed", "Made of one", 1)
    assert [one["status"] for one in found["proposals"]] == ["completed", "failed"]


def test_a_proposal_that_fails_when_it_is_asked_for_again_is_none_any_more(talk: Talk) -> None:
    said = finished_mixture(talk)
    talk.runs.retry(said.taskId, ALICE, step="agent1")
    assert talk.message(said.id)["proposals"][0]["text"] == "First draft"
    lease = talk.take(said, 0)
    assert lease.kept is None, "it was asked for itself"
    talk.finish(lease, REFUSED)
    first = talk.message(said.id)["proposals"][0]
    assert (first["status"], first["text"]) == ("failed", "")


def test_stopping_a_mixture_ends_each_of_its_messages(talk: Talk) -> None:
    said = talk.say(mixture=MIXTURE)
    lease = talk.take(said, 0)
    talk.attempts.save_text(lease, 0, "A dra")
    talk.runs.stop(said.taskId, ALICE)
    talk.finish(lease, Cancelled())
    found = talk.message(said.id)
    assert [(one["status"], one["text"]) for one in (found, *found["proposals"])] == [
        ("stopped", ""),
        ("stopped", "A dra"),
        ("stopped", ""),
    ]


def test_messages_outlive_their_run(talk: Talk) -> None:
    said = talk.say()
    talk.answer(said, "Hello")
    talk.database.execute("UPDATE runs SET ended_at = ended_at - interval '400 days'")
    assert talk.sweep.purge(1) == 1
    found = talk.message(said.id)
    assert (found["status"], found["text"], found["run_id"], found["step"]) == ("completed", "Hello", said.taskId, None)
    assert talk.database.call("SELECT count(*) FROM texts") == 0


def test_no_message_is_written_by_a_step_that_has_ended(talk: Talk) -> None:
    """Whatever order things end in: the same holds of all of them."""
    said = [talk.say(f"Question {number}", id=f"talk-{number}") for number in range(6)]
    leases = [talk.take(one) for one in said[:4]]
    talk.finish(leases[0], answered("a"))
    talk.finish(leases[1], REFUSED)
    talk.finish(leases[2], CUT_OFF)
    talk.runs.stop(said[3].taskId, ALICE)
    talk.runs.stop(said[4].taskId, ALICE)
    wrong = talk.database.rows(
        "SELECT m.public_id FROM messages m JOIN steps s ON s.run_id = m.run_id AND s.position = m.position "
        "WHERE (s.ended_at IS NULL) <> (m.status = 'writing')"
    )
    assert wrong == []


def test_steps_of_other_actions_call_nothing(database_url: str) -> None:
    """The trigger's condition compares a name; only for steps that write messages is a function called, once an end."""
    talk = Talk(database_url, size=1)
    name = urlsplit(database_url).path.removeprefix("/")
    talk.database.execute(f"ALTER DATABASE {name} SET track_functions = 'all'")
    talk.close()
    talk = Talk(database_url, size=1)

    def calls() -> int:
        talk.database.call("SELECT pg_stat_force_next_flush()")
        functions = "pg_stat_user_functions WHERE funcname IN ('step_ended', 'settle_message')"
        return int(talk.database.call(f"SELECT coalesce(sum(calls), 0) FROM {functions}"))

    run = talk.start(*({"key": f"s{number}"} for number in range(20)))
    for position in range(20):
        talk.finish(talk.claim(run, position))
    assert calls() == 0
    talk.answer(talk.say(), "Hello")
    assert calls() == 2
    talk.close()
