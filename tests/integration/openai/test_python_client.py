"""The official Python client against the relay."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
import requests

from tests.integration.openai.conftest import OPERATOR, VIEWER
from tests.support.model_server import answer_text

pytestmark = pytest.mark.integration

HELLO = [{"role": "user", "content": "Good morning"}]


def said(count: int, messages=HELLO) -> str:
    return answer_text(messages, count)


def test_a_chat_completion_is_answered(stack):
    answer = stack.client().chat.completions.create(model="plain/words?tokens=20", messages=HELLO, temperature=0.5)
    assert answer.choices[0].message.content == said(20)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 20
    assert (answer.object, answer.model) == ("chat.completion", "plain/words?tokens=20")
    assert stack.server.seen("words?tokens=20")[-1].body["temperature"] == 0.5


def test_a_chat_completion_is_streamed(stack):
    stream = stack.client().chat.completions.create(
        model="plain/words?tokens=30&per_s=100", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == said(30)
    assert len(chunks) > 10
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 30
    assert len({c.id for c in chunks}) == 1


def test_what_was_said_before_and_instructions_reach_the_model(stack):
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And?"},
    ]
    stack.client().chat.completions.create(
        model="plain/told", messages=messages, max_completion_tokens=7, stop="END", user="somebody", store=False
    )
    told = stack.server.seen("told")[-1].body
    assert [(m["role"], m["content"]) for m in told["messages"]] == [
        ("system", "Be short."),
        ("user", "One\nTwo"),
        ("assistant", "Yes."),
        ("user", "And?"),
    ]
    assert (told["max_tokens"], told["stop"]) == (7, ["END"])


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"n": 2}, "n"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]},
            "messages.0.content.0",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages.0.role"),
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
    ],
)
def test_what_would_be_another_answer_is_refused(stack, more, param):
    with pytest.raises(openai.BadRequestError) as caught:
        stack.client().chat.completions.create(**({"model": "plain/words", "messages": HELLO} | more))
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["message"]


def test_errors_have_the_shape_that_clients_know(stack):
    with pytest.raises(openai.NotFoundError) as unknown:
        stack.client().chat.completions.create(model="nobody/nothing", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError) as nobody:
        stack.client("wrong").chat.completions.create(model="plain/words", messages=HELLO)
    assert nobody.value.type == "authentication_error"
    with pytest.raises(openai.PermissionDeniedError):
        stack.client(VIEWER).chat.completions.create(model="plain/words", messages=HELLO)
    with pytest.raises(openai.NotFoundError):
        stack.client().responses.retrieve("resp_0_none")
    with pytest.raises(openai.APIStatusError) as failed:
        stack.client(max_retries=2).chat.completions.create(model="refusing/no?fail=400", messages=HELLO)
    assert failed.value.status_code == 502
    assert len(stack.server.seen("no?fail=400")) == 1


def test_a_failure_in_the_midst_of_a_stream_is_an_error(stack):
    stream = stack.client().chat.completions.create(
        model="refusing/bad?fail=400&first_s=0.3", messages=HELLO, stream=True
    )
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert "model." in caught.value.code


def test_the_models_are_listed(stack):
    listed = [model.id for model in stack.client(VIEWER).models.list()]
    assert {"demo/fast", "mixture/pair"} <= set(listed)
    assert stack.client().models.retrieve("demo/fast").id == "demo/fast"
    with pytest.raises(openai.NotFoundError):
        stack.client().models.retrieve("demo/nothing")


def test_a_model_is_found_by_its_own_name_alone(stack):
    answer = stack.client().chat.completions.create(model="fast", messages=HELLO)
    assert answer.choices[0].message.content


def test_a_mixture_is_a_model(stack):
    answer = stack.client().chat.completions.create(model="mixture/pair", messages=HELLO)
    assert answer.choices[0].message.content
    with pytest.raises(openai.NotFoundError, match="there is no mixture 'trio'; there is mixture/pair"):
        stack.client().chat.completions.create(model="mixture/trio", messages=HELLO)


def test_a_response_of_a_mixture_names_the_mixture_whenever_it_is_read(stack):
    answer = stack.client().responses.create(model="mixture/pair", input="Good morning")
    assert (answer.status, answer.model) == ("completed", "mixture/pair")
    assert stack.client(VIEWER).responses.retrieve(answer.id).model == "mixture/pair"
    assert stack.client().responses.cancel(answer.id).model == "mixture/pair"
    events = stack.client(VIEWER).responses.retrieve(answer.id, stream=True)
    assert {event.response.model for event in events if hasattr(event, "response")} == {"mixture/pair"}


def test_a_response_is_answered(stack):
    answer = stack.client().responses.create(
        model="plain/words?tokens=15", input="Good morning", instructions="Be short.", metadata={"a": "b"}
    )
    messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Good morning"}]
    assert (answer.status, answer.output_text) == ("completed", said(15, messages))
    assert answer.usage.output_tokens == 15
    assert (answer.background, answer.instructions, answer.metadata) == (False, "Be short.", {"a": "b"})
    again = stack.client(VIEWER).responses.retrieve(answer.id)
    assert (again.status, again.output_text) == ("completed", answer.output_text)
    items = [{"role": "user", "content": [{"type": "input_text", "text": "Good morning"}]}]
    assert stack.client().responses.create(model="plain/words", input=items).output_text == said(40)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}, "input.0"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
    ],
)
def test_a_response_that_would_be_another_one_is_refused(stack, more, param):
    with pytest.raises(openai.BadRequestError) as caught:
        stack.client().responses.create(**({"model": "plain/words", "input": "Good morning"} | more))
    assert caught.value.param == param


def test_a_response_goes_on_in_the_background_and_is_read_later(stack, eventually):
    client = stack.client()
    begun = client.responses.create(model="plain/words?tokens=40&per_s=40", input="Good morning", background=True)
    assert (begun.status in ("queued", "in_progress"), begun.background) == (True, True)
    eventually(lambda: client.responses.retrieve(begun.id).output_text)
    assert client.responses.retrieve(begun.id).status == "in_progress"
    eventually(lambda: client.responses.retrieve(begun.id).status == "completed")
    assert client.responses.retrieve(begun.id).output_text == said(40)


def test_a_response_is_cancelled_and_its_provider_left(stack, eventually):
    client = stack.client()
    model = "plain/words?tokens=4000&per_s=40"
    begun = client.responses.create(model=model, input="Good morning", background=True)
    eventually(lambda: client.responses.retrieve(begun.id).output_text)
    cancelled = client.responses.cancel(begun.id)
    assert cancelled.status == "cancelled"
    eventually(lambda: stack.server.seen(model.partition("/")[2])[-1].ended == "left")
    assert said(4000).startswith(cancelled.output_text)
    assert cancelled.output_text
    assert client.responses.cancel(begun.id).status == "cancelled"
    with pytest.raises(openai.PermissionDeniedError):
        stack.client(VIEWER).responses.cancel(begun.id)


def test_a_response_is_streamed_in_numbered_events(stack):
    client = stack.client()
    events = list(client.responses.create(model="plain/words?tokens=30&per_s=100", input="Good morning", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    text = "".join(event.delta for event in events[4:-4])
    assert text == events[-4].text == events[-1].response.output_text == said(30)
    numbers = [event.sequence_number for event in events]
    assert numbers[:4] == [0, 1, 2, 3]
    assert numbers == sorted(set(numbers))
    # The same numbers for one who reads it later, however the pieces were gathered.
    late = list(client.responses.retrieve(events[0].response.id, stream=True))
    assert [event.sequence_number for event in late[-5:]] == [numbers[-5], *numbers[-4:]]
    assert late[4].delta == text


def test_a_stream_is_taken_up_where_it_broke_off(stack):
    client = stack.client()
    begun = client.responses.create(
        model="plain/words?tokens=150&per_s=60", input="Good morning", background=True, stream=True
    )
    text, last, response, connects = "", -1, "", 0
    kinds: list[str] = []
    stream = begun
    while "response.completed" not in kinds:
        for count, event in enumerate(stream):
            assert event.sequence_number > last
            last = event.sequence_number
            kinds.append(event.type)
            response = response or event.response.id
            if event.type == "response.output_text.delta":
                text += event.delta
            if count >= 2:
                break
        stream.close()
        connects += 1
        if "response.completed" not in kinds:
            stream = client.responses.retrieve(response, stream=True, starting_after=last)
    assert connects >= 30
    assert text == said(150)
    for kind in ("response.created", "response.output_item.added", "response.output_text.done", "response.completed"):
        assert kinds.count(kind) == 1
    # And long after.
    rest = list(client.responses.retrieve(response, stream=True, starting_after=103))
    assert rest[0].delta == said(150)[100:]
    assert [event.type for event in client.responses.retrieve(response, stream=True, starting_after=last)] == []
    assert [e.type for e in client.responses.retrieve(response, stream=True, starting_after=last - 2)] == [
        "response.output_item.done",
        "response.completed",
    ]


def test_a_client_that_goes_stops_nothing(stack, eventually):
    client = stack.client()
    stream = client.chat.completions.with_raw_response.create(
        model="plain/left?tokens=60&per_s=60", messages=HELLO, stream=True
    )
    message_id = stream.headers["X-Message-Id"]
    stream.http_response.close()
    response_id = "resp_" + message_id.removeprefix("msg_")
    eventually(lambda: client.responses.retrieve(response_id).status == "completed")
    assert client.responses.retrieve(response_id).output_text == said(60)


def test_a_text_that_was_replaced_ends_its_streams_with_an_error(stack, eventually):
    client = stack.client()
    # The first attempt is cut off, and this provider cannot go on: another answer is begun.
    model = "plain/words?tokens=40&per_s=40&cut_after=10&first_token_s=0.3"
    events = list(client.responses.create(model=model, input="Good morning", background=True, stream=True))
    ended = client.responses.retrieve(events[0].response.id)
    assert ended.status in ("failed", "in_progress", "queued")
    last = events[-1]
    assert last.type in ("error", "response.failed")
    read = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert said(40).startswith(read)


def test_errors_of_addresses_and_bodies_are_openais_too(stack):
    headers = {"Authorization": f"Bearer {OPERATOR}", "Content-Type": "application/json"}
    for method, path, body, status in (
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/responses", None, 405),
        ("POST", "/v1/chat/completions", "{", 400),
        ("POST", "/v1/responses", "[]", 400),
        ("GET", "/v1/responses/resp_x?stream=true&starting_after=-1", None, 404),
    ):
        answer = requests.request(method, f"{stack.relay.url}{path}", headers=headers, data=body, timeout=30)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["plain/a b", "plain/" + "x" * 5000, "plain/a\nb", "Plain/words", "x" * 300, "/", ""])
def test_what_can_be_no_name_of_a_model_is_an_unknown_one(stack, name):
    client = stack.client()
    with pytest.raises(openai.NotFoundError) as whole:
        client.chat.completions.create(model=name, messages=HELLO)
    with pytest.raises(openai.NotFoundError) as stream:
        client.chat.completions.create(model=name, messages=HELLO, stream=True)
    with pytest.raises(openai.NotFoundError) as response:
        client.responses.create(model=name, input="Good morning")
    for caught in (whole, stream, response):
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
        assert len(caught.value.body["message"]) < 500


def test_who_did_what_is_in_the_audit_record(stack):
    stack.client().responses.create(model="demo/fast", input="Good morning")
    actions = {row[0] for row in stack.fleet.database.rows("SELECT DISTINCT action FROM audit WHERE actor = 'api'")}
    assert {"chat.respond", "chat.complete"} <= actions


def test_two_hundred_answers_at_once_are_each_whole(stack):
    def ask(number: int) -> tuple[str, str]:
        messages = [{"role": "user", "content": f"Number {number}"}]
        body = {"model": "plain/words?tokens=20&per_s=20", "messages": messages, "stream": True}
        url, headers = f"{stack.base_url}/chat/completions", {"Authorization": f"Bearer {OPERATOR}"}
        text = ""
        with requests.post(url, json=body, headers=headers, stream=True, timeout=90) as answer:
            for line in answer.iter_lines(decode_unicode=True):
                if line.startswith("data: {"):
                    chunk = openai.types.chat.ChatCompletionChunk.model_validate_json(line[6:])
                    text += "".join(choice.delta.content or "" for choice in chunk.choices)
        return text, answer_text(messages, 20)

    began = time.monotonic()
    with ThreadPoolExecutor(200) as threads:
        for read, wanted in threads.map(ask, range(200)):
            assert read == wanted
    assert time.monotonic() - began < 90
