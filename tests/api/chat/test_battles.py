"""Battles: blind until the vote, voted on once, and the table they make."""

from __future__ import annotations

import json
from typing import Any

from api.services import Services
from tests.api.chat.conftest import REFUSED, Chat, Worker

MODELS = ["demo/plain", "demo/fast", "demo/slow"]


def fight(chat: Chat, worker: Worker, models: list[str] | None = None, **fields) -> Any:
    said = chat.say("Hello", battle=models or MODELS, **fields)
    for position in range(len(models or MODELS)):
        worker.answer(said["taskId"], f"Answer {position}", position)
    return said


def test_no_answer_names_a_model_before_the_vote(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", battle=MODELS)
    assert len(said["answers"]) == 3
    assert said["battle"]
    shown = [said, chat.message(said["id"]), chat.conversation()]
    lease = worker.claim(said["taskId"])
    worker.finish(lease, REFUSED)
    shown += [chat.message(said["answers"][0]), chat.conversation(), chat.get("/conversations"), chat.get("/ratings")]
    events = [event.model_dump_json() for run, event in worker.recorder.events if run == said["taskId"]]
    assert "demo/" not in json.dumps(shown)
    # What a step failed of goes to whoever may see runs; the rest of the events is blind.
    assert not [text for text in events if "demo/" in text and '"error":null' in text]
    failed = chat.message(said["answers"][0])
    assert failed["error"] == {"code": "model.refused", "message": "this contender failed; why is told after the vote"}


def test_who_asks_does_not_know_which_answer_is_whose(chat: Chat, worker: Worker, services: Services) -> None:
    """The order they were named in is not the order of the answers, every time."""
    orders = set()
    for number in range(12):
        said = chat.say("Hello", id=f"talk-{number}", battle=MODELS)
        rows = services.database.rows("SELECT models FROM battles WHERE public_id = %s", said["battle"])
        orders.add(tuple(rows[0][0]))
        steps = services.runs.workflow(said["taskId"]).steps
        assert [step.params["model"] for step in steps] == rows[0][0]
    assert {frozenset(order) for order in orders} == {frozenset(MODELS)}
    assert len(orders) > 1  # all the same by chance: once in 6 ** 11


def test_a_vote_names_the_models_and_counts_once(chat: Chat, worker: Worker) -> None:
    said = fight(chat, worker)
    voted = chat.post(f"/battles/{said['battle']}/vote", 200, verdict="winner", winner=said["answers"][1])
    assert set(voted["models"]) == set(said["answers"])
    assert set(voted["models"].values()) == set(MODELS)
    found = chat.message(said["answers"][1])
    assert found["model"] == voted["models"][said["answers"][1]]
    assert found["vote"] == {"verdict": "winner", "winner": said["answers"][1]}
    again = chat.post(f"/battles/{said['battle']}/vote", 409, verdict="tie")
    assert again["code"] == "illegal_control"
    assert again["where"] == "/battle_id"
    table = chat.get("/ratings")
    assert table["battles"] == 1
    assert table["ratings"][0]["model"] == found["model"]
    assert [(one["wins"], one["losses"]) for one in table["ratings"]] == [(1, 0), (0, 1), (0, 1)]


def test_a_vote_waits_for_the_last_answer(chat: Chat, worker: Worker) -> None:
    said = chat.say("Hello", battle=MODELS[:2])
    worker.answer(said["taskId"], "One", 0)
    problem = chat.post(f"/battles/{said['battle']}/vote", 409, verdict="tie")
    assert "written" in problem["detail"]
    worker.finish(worker.claim(said["taskId"], 1), REFUSED)
    chat.post(f"/battles/{said['battle']}/vote", 200, verdict="winner", winner=said["answers"][0])


def test_a_vote_that_does_not_fit_is_a_problem(chat: Chat, worker: Worker) -> None:
    said = fight(chat, worker)
    path = f"/battles/{said['battle']}/vote"
    assert chat.post(path, 400, verdict="winner")["detail"].startswith("name a winner")
    assert chat.post(path, 400, verdict="tie", winner=said["id"])["code"] == "invalid_request"
    assert chat.post(path, 400, verdict="winner", winner=said["message_id"])["where"] == "/winner"
    assert chat.post("/battles/nobody/vote", 404, verdict="tie")["code"] == "unknown_battle"


def test_a_hidden_answer_is_regenerated_only_by_a_model_that_is_named(chat: Chat, worker: Worker) -> None:
    said = fight(chat, worker)
    assert "vote" in chat.post(f"/messages/{said['id']}/regenerate", 409)["mend"]
    chat.post(f"/messages/{said['id']}/regenerate", chatModel={"provider": "demo", "model": "fast"})
    chat.post(f"/battles/{said['battle']}/vote", 200, verdict="all_bad")
    again = chat.post(f"/messages/{said['id']}/regenerate")
    assert chat.message(again["id"])["model"] == chat.message(said["id"])["model"]


def test_a_battle_is_between_different_models(chat: Chat) -> None:
    assert chat.say("Hello", 400, battle=["demo/plain", "demo/plain"])["where"] == "/battle"
    assert chat.say("Hello", 400, battle=["demo/plain"])["where"] == "/battle"
    both = chat.say("Hello", 400, battle=MODELS, chatModel={"provider": "demo", "model": "fast"})
    assert "one of" in both["detail"]
