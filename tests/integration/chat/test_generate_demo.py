"""Answers of the built-in demo provider, by a real worker: text, events, message and result agree."""

from __future__ import annotations

from orchestration.models.demo import answer_text
from schemas.chat import ChatRole, ContextMessage
from tests.support.chat import ChatFleet, events_of

QUESTION = "What is a fence?"


def expected(model: str, question: str = QUESTION) -> str:
    return answer_text(model, [ContextMessage(role=ChatRole.USER, content=question)])


def test_an_answer_is_streamed_stored_and_kept_the_same(chatting: ChatFleet) -> None:
    answer = chatting.ask("demo/fast", QUESTION)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected("fast")
    assert message["finish_reason"] == "stop"
    assert message["usage"]["completion_tokens"] > 0
    assert not message["usage"]["estimated"]
    assert message["timings"]["first_token_ms"] is not None
    reader = chatting.check_shown(answer, message["text"])
    assert reader.pieces > 20
    chatting.check(chatting.run_of(answer))


def test_a_step_of_an_answer_says_its_first_words(chatting: ChatFleet) -> None:
    answer = chatting.ask("demo/fast", QUESTION)
    chatting.wait_ended(answer)
    (attempt,) = chatting.attempts(chatting.run_of(answer))
    assert attempt["result"]["message"].startswith("**This is the demo model `fast`.**")
    assert attempt["result"]["details"]["model"] == "demo/fast"
    chatting.wait_told(answer)
    steps = [e for e in events_of(chatting.stream, answer.taskId) if e["type"] == "step"]
    assert [step["status"] for step in steps] == ["in_progress", "completed"]


def test_the_demo_that_breaks_off_is_taken_up_where_it_broke(chatting: ChatFleet) -> None:
    answer = chatting.ask("demo/flaky", QUESTION)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected("flaky")
    assert [a["outcome"] for a in chatting.attempts(chatting.run_of(answer))] == ["failed", "completed"]
    reader = chatting.check_shown(answer, message["text"])
    # The second attempt said the beginning again in one piece, and then only the rest.
    assert reader.pieces < 2 * message["usage"]["completion_tokens"]
