"""Answers of a provider that is slow, refuses, breaks off, hangs or talks nonsense, by a real worker."""

from __future__ import annotations

import pytest

from tests.support.chat import ChatFleet
from tests.support.model_peer import ModelServer
from tests.support.model_server import KEY, answer_text, answer_tokens

QUESTION = "What is a lease?"
ASKED = [{"role": "user", "content": QUESTION}]


def expected(tokens: int) -> str:
    return answer_text(ASKED, tokens)


def test_a_slow_provider_is_waited_for_and_measured(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/slow?tokens=20&per_s=40&first_token_s=0.5", QUESTION)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected(20)
    chatting.check_shown(answer, message["text"])
    assert message["timings"]["first_token_ms"] >= 490
    assert message["timings"]["total_ms"] >= message["timings"]["first_token_ms"] + 19 / 40 * 1000 - 20
    assert 0 < message["timings"]["tokens_per_s"] < 60
    assert message["usage"] == {"prompt_tokens": 4, "completion_tokens": 20, "estimated": False}


def test_tokens_that_nobody_counted_are_estimated_and_marked(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/uncounted?tokens=30&usage=0", QUESTION)
    message = chatting.wait_ended(answer)
    size = len(message["text"].encode())
    assert message["usage"] == {"prompt_tokens": 4 + 4, "completion_tokens": -(-size // 4), "estimated": True}


def test_an_answer_that_meets_the_limit_of_tokens_says_so(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/short?tokens=30", QUESTION, parameters={"max_tokens": 7})
    message = chatting.wait_ended(answer)
    assert (message["text"], message["finish_reason"]) == (expected(7), "length")


def test_an_answer_that_is_too_long_to_be_kept_ends_there(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/endless?tokens=14000", QUESTION)
    message = chatting.wait_ended(answer)
    assert message["finish_reason"] == "length"
    assert expected(14000).startswith(message["text"])
    assert 200_000 < len(message["text"]) < 256 * 1024


def test_a_provider_that_keeps_failing_fails_the_message_with_a_plain_sentence(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    answer = chatting.ask("failing/down?fail=503", QUESTION)
    message = chatting.wait_ended(answer, "failed")
    assert message["error"]["code"] == "model.unavailable"
    assert "Traceback" not in message["error"]["message"]
    assert (message["text"], message["finish_reason"]) == ("", "error")
    assert len(model_server.seen("down?fail=503")) == 3


def test_a_refusal_is_final_at_once_and_shows_no_key(chatting: ChatFleet, model_server: ModelServer) -> None:
    answer = chatting.ask("keyed/closed?fail=400&echo_key=1", QUESTION)
    message = chatting.wait_ended(answer, "failed")
    assert message["error"]["code"] == "model.refused"
    (asked,) = model_server.seen("closed?fail=400&echo_key=1")
    assert asked.key == KEY
    assert KEY not in str(message)
    assert KEY not in str(chatting.attempts(chatting.run_of(answer)))


def test_who_is_asked_too_often_is_asked_again_when_it_says(chatting: ChatFleet, model_server: ModelServer) -> None:
    name = "busy?fail=429&fail_times=1&retry_after=2&tokens=10"
    answer = chatting.ask(f"limited/{name}", QUESTION)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected(10)
    first, second = model_server.seen(name)
    assert second.asked_at - first.asked_at >= 2
    chatting.check_shown(answer, message["text"])


@pytest.mark.parametrize("provider", ["cut", "resumes"])
def test_an_answer_that_breaks_off_is_whole_in_the_end(
    chatting: ChatFleet, model_server: ModelServer, provider: str
) -> None:
    name = f"breaks-{provider}"
    model_server.behave(name, tokens=40, cut_after=25)
    answer = chatting.ask(f"{provider}/{name}", QUESTION)
    chatting.wait_asked(model_server, name, 1)
    model_server.behave(name, tokens=40)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected(40)
    reader = chatting.check_shown(answer, message["text"])
    _, again = model_server.seen(name)
    if provider == "resumes":
        assert again.body["messages"][-1] == {"role": "assistant", "content": expected(25)}
        assert again.sent == 15
        assert message["usage"]["estimated"]
    else:
        assert again.body["messages"] == ASKED
    assert [attempt for attempt, _ in reader.editions] == [1, 2]


def test_a_provider_that_falls_silent_is_asked_again(chatting: ChatFleet, model_server: ModelServer) -> None:
    model_server.behave("silent", tokens=40, hang_after=5)
    answer = chatting.ask("hanging/silent", QUESTION)
    chatting.wait_text(answer, len(expected(5)))
    model_server.behave("silent", tokens=40)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected(40)
    chatting.check_shown(answer, message["text"])
    assert chatting.attempts(chatting.run_of(answer))[0]["error"]["code"] == "model.timeout"


def test_after_nonsense_the_answer_begins_anew(chatting: ChatFleet, model_server: ModelServer) -> None:
    # Also where the provider could go on: what it said before may have been nonsense as well.
    model_server.behave("nonsense", tokens=40, malformed_after=5)
    answer = chatting.ask("garbled/nonsense", QUESTION)
    chatting.wait_asked(model_server, "nonsense", 1)
    model_server.behave("nonsense", tokens=40)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected(40)
    chatting.check_shown(answer, message["text"])
    assert model_server.seen("nonsense")[1].body["messages"] == ASKED


def test_each_token_reaches_readers_as_a_piece_of_its_own(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/pieces?tokens=30&per_s=100", QUESTION)
    message = chatting.wait_ended(answer)
    reader = chatting.check_shown(answer, message["text"])
    assert reader.pieces == len(answer_tokens(ASKED, 30))


def test_a_model_that_no_provider_has_fails_with_a_sentence(chatting: ChatFleet) -> None:
    answer = chatting.ask("nobody/knows", QUESTION)
    message = chatting.wait_ended(answer, "failed")
    assert message["error"]["code"] == "invalid_chat"
    assert "nobody/knows" in message["error"]["message"]
