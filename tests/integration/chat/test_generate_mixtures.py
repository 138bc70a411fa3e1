"""Mixtures of agents by a real worker: what the aggregator is told, agents that fail, quorums, layers, retries."""

from __future__ import annotations

from typing import Any

from schemas.chat import ChatAnswer
from tests.support.chat import ChatFleet
from tests.support.engine import broken_invariants
from tests.support.model_peer import ModelServer
from tests.support.model_server import answer_text

QUESTION = "What is a mixture?"
ASKED = [{"role": "user", "content": QUESTION}]
SAID = "One of the agents failed to respond."


def notices(chatting: ChatFleet, answer: ChatAnswer) -> list[tuple[str, str, str | None]]:
    events = chatting.wait_told(answer)
    return [(e["notice"], e["message"], e["key"]) for e in events if e["type"] == "notice" and e["error"]]


def mixed(chatting: ChatFleet, *proposers: str, **fields: Any) -> ChatAnswer:
    mixture = {"proposers": proposers, "aggregator": "plain/joins?tokens=9"} | fields
    return chatting.ask("", QUESTION, mixture=mixture)


def test_the_aggregator_is_told_all_proposals_and_the_question(chatting: ChatFleet, model_server: ModelServer) -> None:
    model_server.reset()
    answer = mixed(chatting, "plain/first?tokens=5", "other/second?tokens=6")
    message = chatting.wait_ended(answer)
    (asked,) = model_server.seen("joins?tokens=9")
    told, question = asked.body["messages"]
    assert (told["role"], question) == ("system", ASKED[0])
    assert "proposal 2 of 2 ends" in told["content"]
    assert answer_text(ASKED, 5).strip() in told["content"]
    assert answer_text(ASKED, 6).strip() in told["content"]
    assert message["text"] == answer_text([told, question], 9)
    proposals = message["proposals"]
    assert [(p["status"], p["text"]) for p in proposals] == [
        ("completed", answer_text(ASKED, 5)),
        ("completed", answer_text(ASKED, 6)),
    ]
    chatting.check_shown(answer, proposals[0]["text"], "agent1")
    assert notices(chatting, answer) == []


def test_long_proposals_are_told_in_full(chatting: ChatFleet, model_server: ModelServer) -> None:
    # Together more than what references may bring into a step's parameters.
    model_server.reset()
    answer = mixed(chatting, "plain/tall?tokens=8000", "other/high?tokens=8001")
    chatting.wait_ended(answer)
    (asked,) = model_server.seen("joins?tokens=9")
    told = asked.body["messages"][0]["content"]
    assert answer_text(ASKED, 8000).strip() in told
    assert answer_text(ASKED, 8001).strip() in told
    assert len(told) > 256 * 1024


def test_an_agent_that_failed_for_good_is_told_of_once_and_left_out(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    model_server.reset()
    answer = mixed(chatting, "plain/good?tokens=5", "refusing/bad?fail=400", "failing/away?fail=500")
    message = chatting.wait_ended(answer)
    (asked,) = model_server.seen("joins?tokens=9")
    assert "proposal 1 of 1 begins" in asked.body["messages"][0]["content"]
    assert [p["status"] for p in message["proposals"]] == ["completed", "failed", "failed"]
    assert sorted(notices(chatting, answer), key=str) == [
        ("chat:message:error", SAID, "agent2"),
        ("chat:message:error", SAID, "agent3"),
    ]
    assert len(model_server.seen("away?fail=500")) == 3


def test_too_few_proposals_fail_the_answer(chatting: ChatFleet) -> None:
    answer = mixed(chatting, "plain/alone?tokens=5", "refusing/none?fail=400", quorum=2)
    message = chatting.wait_ended(answer, "failed")
    assert message["error"]["code"] == "chat.quorum"
    assert message["error"]["message"] == "1 of 2 agents answered, and the mixture needs 2"
    # The answer itself is no agent's: its failure is its own.
    assert [key for _, _, key in notices(chatting, answer)] == ["agent2"]


def test_one_failed_agent_can_be_tried_again_alone(chatting: ChatFleet, model_server: ModelServer) -> None:
    model_server.reset()
    model_server.behave("moody", fail=400)
    answer = mixed(chatting, "plain/steady?tokens=5", "refusing/moody", quorum=2)
    chatting.wait_ended(answer, "failed")
    model_server.behave("moody", tokens=6)
    chatting.runs.retry(answer.taskId, chatting.actor, step="agent2")
    message = chatting.wait_ended(answer)
    assert [p["status"] for p in message["proposals"]] == ["completed", "completed"]
    assert len(model_server.seen("steady?tokens=5")) == 1
    chatting.check_shown(answer, message["text"])
    chatting.check(chatting.run_of(answer))


def test_a_finished_answer_stays_when_the_agent_that_is_asked_again_fails_again(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    model_server.reset()
    model_server.behave("grumpy", fail=400)
    answer = mixed(chatting, "plain/calm?tokens=5", "refusing/grumpy", aggregator="plain/sums?tokens=9")
    before = chatting.wait_ended(answer)
    chatting.wait_told(answer)
    chatting.runs.retry(answer.taskId, chatting.actor, step="agent2")
    chatting.wait_asked(model_server, "grumpy", 2)
    after = chatting.wait_ended(answer)
    told = ("text", "text_attempt", "usage", "timings", "finish_reason", "error")
    assert [after[name] for name in told] == [before[name] for name in told]
    assert [p["status"] for p in after["proposals"]] == ["completed", "failed"]
    assert len(model_server.seen("sums?tokens=9")) == len(model_server.seen("calm?tokens=5")) == 1
    chatting.check_shown(answer, before["text"])

    model_server.behave("grumpy", tokens=6)
    chatting.runs.retry(answer.taskId, chatting.actor, step="agent2")
    chatting.wait_asked(model_server, "sums?tokens=9", 2)
    anew = chatting.wait_ended(answer)
    assert [p["status"] for p in anew["proposals"]] == ["completed", "completed"]
    assert anew["text"] != before["text"]
    reader = chatting.check_shown(answer, anew["text"])
    assert reader.editions == [(1, 0), (3, 0)], "read in full until the first word of the new one"
    assert broken_invariants(chatting.database) == {}


def test_each_layer_is_told_what_the_one_before_it_proposed(chatting: ChatFleet, model_server: ModelServer) -> None:
    model_server.reset()
    answer = mixed(chatting, "plain/left?tokens=5", "other/right?tokens=6", layers=2)
    chatting.wait_ended(answer)
    first, second = model_server.seen("left?tokens=5")
    assert first.body["messages"] == ASKED
    assert answer_text(ASKED, 6).strip() in second.body["messages"][0]["content"]


def test_the_sides_of_a_battle_answer_apart_and_one_that_fails_leaves_the_other(chatting: ChatFleet) -> None:
    answer = chatting.ask("", QUESTION, battle=["plain/red?tokens=8", "refusing/blue?fail=400"])
    found = {chatting.wait_ended_one(one)["status"] for one in answer.answers}
    assert found == {"completed", "failed"}
    assert notices(chatting, answer) == []
