"""Mixtures of agents: said at once, shown with their agents, one agent retried alone."""

from __future__ import annotations

from tests.api.chat.conftest import REFUSED, Chat, Worker

TEAM = {"provider": "mixture", "model": "team"}


def test_whoever_watches_is_told_at_once_that_agents_are_at_work(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", message_id="m-1", chatModel=TEAM)
    told = worker.notices(said["taskId"])
    assert [(notice.notice, notice.error) for notice in told] == [("agent_mixing", False)]
    assert "2 agents" in told[0].message
    chat.say("Hello", message_id="m-1", chatModel=TEAM)
    assert len(worker.notices(said["taskId"])) == 1
    assert worker.notices(chat.say("One model")["taskId"]) == []


def test_a_message_comes_with_its_agents_proposals(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", chatModel=TEAM)
    assert len(said["answers"]) == 1
    answer = chat.message(said["id"])
    assert answer["model"] == "demo/slow"
    assert answer["agents"] == 2
    assert [one["model"] for one in answer["proposals"]] == ["demo/plain", "demo/fast"]
    assert {one["part"] for one in answer["proposals"]} == {"proposal"}

    worker.answer(said["taskId"], "First draft", 0)
    lease = worker.claim(said["taskId"], 1)
    worker.write(lease, "Second dr")
    first, second = chat.message(said["id"])["proposals"]
    assert (first["status"], first["text"]) == ("completed", "First draft")
    assert (second["status"], second["text"]) == ("writing", "Second dr")
    found = chat.conversation()
    assert [one["role"] for one in found["messages"]] == ["user", "assistant"], "proposals are no branches"


def test_one_agent_that_failed_is_retried_alone_and_the_answer_after_it(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", chatModel=TEAM)
    worker.answer(said["taskId"], "First draft", 0)
    worker.finish(worker.claim(said["taskId"], 1), REFUSED)
    worker.answer(said["taskId"], "Made of one draft", 2)
    answer = chat.message(said["id"])
    first, second = answer["proposals"]
    assert (answer["status"], second["status"]) == ("completed", "failed")

    chat.post(f"/messages/{second['id']}/retry")
    worker.answer(said["taskId"], "Second draft", 1)
    again = chat.message(said["id"])
    assert [one["text"] for one in again["proposals"]] == ["First draft", "Second draft"]
    assert again["status"] == "writing"
    assert again["text"] == "Made of one draft", "it is read until there is another one"
    assert again["proposals"][0]["ended_at"] == first["ended_at"], "the other agent was not asked again"
    worker.answer(said["taskId"], "Made of two drafts", 2)
    assert chat.message(said["id"])["text"] == "Made of two drafts"

    chat.post(f"/messages/{said['id']}/retry", step="agent1")
    assert chat.message(said["id"])["proposals"][0]["status"] == "writing"


def test_an_answer_that_could_not_be_written_anew_stands_and_can_be_retried(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", chatModel=TEAM)
    worker.answer(said["taskId"], "First draft", 0)
    worker.finish(worker.claim(said["taskId"], 1), REFUSED)
    worker.answer(said["taskId"], "Made of one draft", 2)
    chat.post(f"/messages/{said['id']}/retry", 409)
    chat.post(f"/messages/{said['id']}/retry", step="agent2")
    worker.answer(said["taskId"], "Second draft", 1)
    worker.finish(worker.claim(said["taskId"], 2), REFUSED)
    found = chat.message(said["id"])
    assert (found["status"], found["text"], found["step"]["status"]) == ("completed", "Made of one draft", "failed")
    assert found["error"]["code"] == "model.refused"
    chat.post(f"/messages/{said['id']}/retry")
    worker.answer(said["taskId"], "Made of two drafts", 2)
    found = chat.message(said["id"])
    assert (found["text"], found["error"]) == ("Made of two drafts", None)


def test_a_mixture_is_regenerated_as_it_was_asked_for(chat: Chat, worker: Worker) -> None:
    mixture = {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/slow", "layers": 2, "quorum": 2}
    said = chat.say("Hello", mixture=mixture)
    again = chat.post(f"/messages/{said['id']}/regenerate")
    assert [one["model"] for one in chat.message(again["id"])["proposals"]] == ["demo/plain", "demo/fast"] * 2
    assert len(worker.notices(again["taskId"])) == 1
    alone = chat.post(f"/messages/{said['id']}/regenerate", chatModel={"provider": "demo", "model": "fast"})
    found = chat.message(alone["id"])
    assert (found["model"], found["proposals"]) == ("demo/fast", None)


def test_a_mixture_whose_quorum_cannot_be_met_is_refused(chat: Chat) -> None:
    mixture = {"proposers": ["demo/plain"], "aggregator": "demo/slow", "quorum": 2}
    problem = chat.say("Hello", 400, mixture=mixture)
    assert problem["where"] == "/mixture"
    assert "quorum" in problem["detail"]
