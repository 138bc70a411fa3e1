"""Answers as responses of OpenAI's interface, where a text is replaced, stopped or lost on its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.relay.chat_world import ChatWorld
from tests.support.engine import ALICE

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def chat(world):
    return ChatWorld(world)


@contextmanager
def streaming(relay, answer, starting_after: int | None = None) -> Iterator[Iterator[dict[str, Any]]]:
    after = "" if starting_after is None else f"&starting_after={starting_after}"
    response = relay.get(f"/v1/responses/{resp(answer)}?stream=true{after}", stream=True)
    assert response.status_code == 200, response.text
    lines = response.iter_lines(chunk_size=1, decode_unicode=True)
    try:
        yield (json.loads(line[6:]) for line in lines if line.startswith("data: "))
    finally:
        response.close()


def resp(answer) -> str:
    return "resp_" + answer.id.removeprefix("msg_")


def opened(events) -> None:
    assert [next(events)["sequence_number"] for _ in range(4)] == [0, 1, 2, 3]


def delta(event) -> tuple[str, int]:
    assert event["type"] == "response.output_text.delta", event
    return event["delta"], event["sequence_number"]


def test_a_text_that_is_replaced_ends_streams_that_told_it(chat, relay):
    answer = chat.ask()
    first = chat.write(answer)
    with streaming(relay, answer) as events, streaming(relay, answer) as late:
        opened(events)
        first.write("Once upon ")
        assert delta(next(events)) == ("Once upon ", 13)
        first.save()
        first.lose()
        second = chat.write(answer)
        second.rewrite("")
        second.write("There was")
        error = next(events)
        assert (error["type"], error["code"]) == ("error", "text_replaced")
        assert list(events) == []
        opened(late)
        told = list(late)
        assert told[-1]["code"] == "text_replaced"
    # Who comes back with a number of the text that is gone is told so, then and later.
    for _ in range(2):
        with streaming(relay, answer, 13) as events:
            assert [event["code"] for event in events] == ["text_replaced"]
        # Who had read nothing of it goes on, as does one who begins again.
        with streaming(relay, answer, 3) as events:
            text, number = delta(next(events))
            assert text == "There was"
        second_text = second.text
        if chat.stored(answer.id)["status"] == "writing":
            second.finish()
    with streaming(relay, answer, number) as events:
        kinds = [event["type"] for event in events]
    assert kinds[0] == "response.output_text.done"
    assert kinds[-1] == "response.completed"
    assert chat.stored(answer.id)["text"] == second_text


def test_a_text_taken_up_where_it_was_goes_on_in_its_stream(chat, relay):
    answer = chat.ask()
    first = chat.write(answer)
    with streaming(relay, answer) as events:
        opened(events)
        first.write("Once upon ")
        first.save()
        assert delta(next(events)) == ("Once upon ", 13)
        first.lose()
        second = chat.write(answer)
        second.rewrite(second.text)
        second.write("a time")
        text, number = delta(next(events))
        assert text == "a time"
        assert number > 16
        second.finish()
        assert next(events)["text"] == "Once upon a time"
    with streaming(relay, answer, number) as events:
        assert next(events)["type"] == "response.output_text.done"


def test_a_text_that_a_filter_changes_at_its_end_ends_streams_that_told_it(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write("Once upon a time")
    with streaming(relay, answer, 3) as events:
        assert delta(next(events)) == ("Once upon a time", 19)
        attempt.rewrite("There was")
        attempt.finish()
        assert next(events)["code"] == "text_replaced"
    with streaming(relay, answer, 19) as events:
        assert next(events)["code"] == "text_replaced"
    with streaming(relay, answer, 3) as events:
        assert delta(next(events))[0] == "There was"


def test_numbers_are_the_same_when_the_run_is_gone(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write("Once upon ", "a time")
    attempt.finish()
    with streaming(relay, answer) as events:
        before = [(event["type"], event["sequence_number"]) for event in events]
    chat.stream._calls.delete(f"perdure:events:{answer.taskId}")
    chat.database.execute("DELETE FROM runs WHERE public_id = %s", answer.taskId)
    with streaming(relay, answer) as events:
        assert [(event["type"], event["sequence_number"]) for event in events] == before
    with streaming(relay, answer, 13) as events:
        assert delta(next(events)) == ("a time", 19)


def test_a_stopped_answer_ends_its_stream_and_says_so(chat, relay):
    answer = chat.ask()
    chat.runs.stop(answer.taskId, ALICE)
    with streaming(relay, answer) as events:
        told = list(events)
    assert told[-1]["type"] == "response.incomplete"
    assert told[-1]["response"]["status"] == "cancelled"
    found = relay.get(f"/v1/responses/{resp(answer)}").json()
    assert (found["status"], found["error"]) == ("cancelled", None)


def test_a_failed_answer_ends_its_stream_and_says_why(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write("I am ")
    attempt.fail()
    with streaming(relay, answer) as events:
        told = list(events)
    assert told[-1]["type"] == "response.failed"
    assert told[-1]["response"]["error"]["code"] == "model.unknown"


def test_what_a_person_said_is_no_response(chat, relay):
    answer = chat.ask()
    said = "resp_" + answer.message_id.removeprefix("msg_")
    found = relay.get(f"/v1/responses/{said}")
    assert found.status_code == 404
    assert found.json()["error"]["code"] == "not_found"
