"""Filters of answers, run by a real worker: in order, over a stream, and what comes of one that fails."""

from __future__ import annotations

import pytest

from orchestration.errors import InvalidChat
from tests.support.chat import ChatFleet
from tests.support.chat_filters import SHOUTED
from tests.support.model_peer import ModelServer
from tests.support.model_server import answer_text

QUESTION = "What is a filter?"
ASKED = [{"role": "user", "content": QUESTION}]
BRIEF = [{"role": "system", "content": "Be brief."}, *ASKED]


def test_a_request_is_filtered_before_the_model_is_told(chatting: ChatFleet, model_server: ModelServer) -> None:
    answer = chatting.ask("plain/inlet?tokens=5", QUESTION, filters=["t.brief"])
    message = chatting.wait_ended(answer)
    (asked,) = model_server.seen("inlet?tokens=5")
    assert asked.body["messages"] == BRIEF
    assert message["text"] == answer_text(BRIEF, 5)


def test_filters_see_each_piece_and_then_the_whole_in_their_order(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/order?tokens=7", QUESTION, filters=["t.pairs", "t.shout", "t.sign"])
    message = chatting.wait_ended(answer)
    assert message["text"] == f"{answer_text(ASKED, 7).upper()}\n{SHOUTED}"
    reader = chatting.check_shown(answer, message["text"])
    # Three pairs and the last alone, then the whole again, which the outlet changed.
    assert (reader.pieces, reader.editions) == (5, [(1, 0), (1, 1)])


def test_an_outlet_that_changes_nothing_rewrites_nothing(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/same?tokens=7", QUESTION, filters=["mask_emails", "mask_secrets"])
    message = chatting.wait_ended(answer)
    assert chatting.check_shown(answer, message["text"]).editions == [(1, 0)]


def test_a_filter_that_fails_is_passed_over_and_said_so(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/skip?tokens=6", QUESTION, filters=["t.stumbles"])
    message = chatting.wait_ended(answer)
    words = answer_text(ASKED, 6).split(" ")
    assert message["text"] == " ".join([*(word.upper() for word in words[:2]), *words[2:]])
    (attempt,) = chatting.attempts(chatting.run_of(answer))
    assert attempt["result"]["details"]["filters"] == [
        {"filter": "t.stumbles", "stage": "stream", "error": "ValueError", "passed_over": True}
    ]


def test_a_filter_that_must_not_fail_fails_the_answer(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/must?tokens=6", QUESTION, filters=["t.must"])
    message = chatting.wait_ended(answer, "failed")
    assert message["error"]["code"] == "chat.filter_failed"
    # Its own words are in the step's log alone.
    assert "the third piece" not in str(message["error"])
    run = "SELECT string_agg(l.text, '') FROM logs l JOIN runs r ON r.id = l.run_id WHERE r.public_id = %s"
    assert "the third piece" in chatting.database.call(run, answer.taskId)


def test_a_filter_that_nobody_knows_is_refused_before_anything_is_stored(chatting: ChatFleet) -> None:
    before = chatting.database.call("SELECT count(*) FROM messages")
    with pytest.raises(InvalidChat, match=r"no filter 't\.nothing'"):
        chatting.ask("plain/x", QUESTION, filters=["t.nothing"])
    assert chatting.database.call("SELECT count(*) FROM messages") == before


def test_a_filter_that_cannot_be_taken_up_in_its_middle_makes_the_answer_begin_anew(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    model_server.behave("halves", tokens=20, cut_after=9)
    answer = chatting.ask("resumes/halves", QUESTION, filters=["t.sign"])
    chatting.wait_asked(model_server, "halves")
    model_server.behave("halves", tokens=20)
    message = chatting.wait_ended(answer)
    assert message["text"] == f"{answer_text(ASKED, 20)}\n{SHOUTED}"
    assert model_server.seen("halves")[1].body["messages"] == ASKED
    chatting.check_shown(answer, message["text"])
