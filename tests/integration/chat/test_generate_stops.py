"""Stopping answers: the provider's connection closes at once, what was written stays, and nobody else's is touched."""

from __future__ import annotations

import time

from tests.support.chat import ChatFleet
from tests.support.model_peer import ModelServer
from tests.support.model_server import Asked, answer_text
from tests.support.workers import wait_until

QUESTION = "What is a stop?"
ASKED = [{"role": "user", "content": QUESTION}]
# Promised are 200 ms; tests run on loaded machines and assert three times that.
CLOSED_WITHIN_S = 0.6


def one_asked(server: ModelServer, name: str) -> Asked:
    (asked,) = server.seen(name)
    return asked


def test_a_stop_closes_the_providers_connection_and_keeps_the_text(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    name = "long?tokens=5000&per_s=50"
    answer = chatting.ask(f"plain/{name}", QUESTION)
    chatting.wait_text(answer, 200)
    stopped_at = time.monotonic()
    chatting.stop(answer)
    wait_until(lambda: one_asked(model_server, name).ended, 30, lambda: model_server.seen(name))
    asked = one_asked(model_server, name)
    assert asked.ended == "left"
    assert asked.ended_at is not None
    assert asked.ended_at - stopped_at < CLOSED_WITHIN_S
    message = chatting.wait_ended(answer, "stopped")
    assert message["finish_reason"] == "stopped"
    assert len(message["text"]) >= 200
    assert answer_text(ASKED, 5000).startswith(message["text"])
    chatting.check_shown(answer, message["text"])


def test_a_stop_before_the_first_token_closes_the_connection_too(
    chatting: ChatFleet, model_server: ModelServer
) -> None:
    name = "mute?hang=1"
    answer = chatting.ask(f"plain/{name}", QUESTION)
    wait_until(lambda: model_server.seen(name), 30, lambda: answer)
    stopped_at = time.monotonic()
    chatting.stop(answer)
    message = chatting.wait_ended(answer, "stopped")
    asked = one_asked(model_server, name)
    assert (asked.ended, message["text"]) == ("left", "")
    assert asked.ended_at is not None
    assert asked.ended_at - stopped_at < CLOSED_WITHIN_S


def test_in_a_storm_of_stops_and_starts_each_stop_hits_its_own(chatting: ChatFleet, model_server: ModelServer) -> None:
    kept, stopped = "kept?tokens=60&per_s=40", "stopped?tokens=4000&per_s=40"
    answers = []
    for number in range(50):
        answers.append(chatting.ask(f"other/{stopped if number % 2 else kept}", QUESTION))
        if number % 2:
            chatting.stop(answers[-1])
    whole = answer_text(ASKED, 4000)
    for number, answer in enumerate(answers):
        if number % 2:
            message = chatting.wait_ended(answer, "stopped")
            assert whole.startswith(message["text"])
        else:
            message = chatting.wait_ended(answer, "completed")
            assert message["text"] == answer_text(ASKED, 60)
        chatting.check_shown(answer, message["text"])
    chatting.check(*map(chatting.run_of, answers))
    assert [one.ended for one in model_server.seen(kept)] == ["answered"] * 25
    wait_until(
        lambda: all(one.ended == "left" for one in model_server.seen(stopped)), 30, lambda: model_server.seen(stopped)
    )


def test_a_stopped_answer_can_be_written_again_from_the_start(chatting: ChatFleet) -> None:
    answer = chatting.ask("plain/again?tokens=60&per_s=60", QUESTION)
    chatting.wait_text(answer, 50)
    chatting.stop(answer)
    chatting.wait_ended(answer, "stopped")
    chatting.runs.retry(answer.taskId, chatting.actor, step="answer")
    message = chatting.wait_ended(answer, "completed")
    assert message["text"] == answer_text(ASKED, 60)
    chatting.check_shown(answer, message["text"])
