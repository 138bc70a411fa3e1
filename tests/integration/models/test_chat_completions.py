"""OpenAI-compatible endpoints, against a real server process that answers, fails, hangs and breaks off."""

import queue
import threading
import time

import pytest

from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.models.port import Delta, ModelRequest
from orchestration.models.registry import ModelRegistry
from schemas.chat import ContextMessage, ModelParameters, Usage
from tests.support.model_server import KEY, answer_text

pytestmark = pytest.mark.integration

ASKED = (ContextMessage(role="system", content="Be brief."), ContextMessage(role="user", content="Where is it?"))
AS_SENT = [{"role": message.role.value, "content": message.content} for message in ASKED]
TOKENS = 40


class Asker:
    """Asks models of the stand-in server, as the provider `peer`."""

    def __init__(self, server, **spec):
        self.registry = ModelRegistry({"peer": {"base_url": server.base_url, "secret": "peer"} | spec})

    def stream(self, model, on_close=lambda _: None, **request):
        found, own_name = self.registry.find(f"peer/{model}", lambda name, *, host=None: KEY)
        return found.stream(ModelRequest(own_name, ASKED, **request), on_close)

    def text(self, model, **request):
        return "".join(delta.text for delta in self.stream(model, **request))


@pytest.fixture
def asker(model_server):
    made = Asker(model_server)
    yield made
    made.registry.close()


def test_an_answer_comes_token_by_token_with_finish_and_usage(asker, model_server):
    deltas = list(asker.stream("words"))
    assert "".join(delta.text for delta in deltas) == answer_text(AS_SENT, TOKENS)
    assert len(deltas) == TOKENS + 1
    assert deltas[-1] == Delta("", "stop", Usage(prompt_tokens=5, completion_tokens=TOKENS))
    assert not any(delta.finish_reason or delta.usage for delta in deltas[:-1])
    (asked,) = model_server.seen()
    assert asked.key == KEY
    assert asked.body["stream_options"] == {"include_usage": True}
    assert "user" not in asked.body


def test_a_model_that_thinks_first_says_so_once(asker):
    first, *others = asker.stream("words?thoughts=30&tokens=5")
    assert first == Delta(is_thinking=True)
    assert "".join(delta.text for delta in others) == answer_text(AS_SENT, 5)
    assert not any(delta.is_thinking for delta in others)
    assert asker.text("words?thoughts=3&joined=1&tokens=5") == answer_text(AS_SENT, 5)


def test_parameters_go_by_the_providers_words_and_unset_ones_not_at_all(model_server):
    asker = Asker(model_server, limit_word="max_completion_tokens", usage=False)
    parameters = ModelParameters(temperature=0, max_tokens=5, stop=("END",), seed=7)
    assert list(asker.stream("words", parameters=parameters))[-1] == Delta("", "length", None)
    (asked,) = model_server.seen()
    said = {key: value for key, value in asked.body.items() if key not in ("model", "messages", "stream")}
    assert said == {"temperature": 0, "max_completion_tokens": 5, "stop": ["END"], "seed": 7}
    asker.registry.close()


def test_chunks_that_break_in_the_midst_of_lines_make_the_same_text(asker):
    assert asker.text("words?joined=1") == answer_text(AS_SENT, TOKENS)


def test_answers_without_usage_or_without_done_are_whole(asker):
    assert list(asker.stream("words?usage=0"))[-1] == Delta("", "stop", None)
    assert list(asker.stream("words?done=0"))[-1].finish_reason == "stop"


@pytest.mark.parametrize(
    ("behaviour", "kind", "code", "after"),
    [
        ("fail=429&retry_after=7", Retryable, "model.rate_limited", 7.0),
        ("fail=429", Retryable, "model.rate_limited", None),
        ("fail=429&code=insufficient_quota", Permanent, "model.refused", None),
        ("fail=503&retry_after=3", Retryable, "model.unavailable", 3.0),
        ("fail=500", Retryable, "model.unavailable", None),
        ("fail=408", Retryable, "model.unavailable", None),
        ("fail=401", Permanent, "model.unauthorized", None),
        ("fail=403", Permanent, "model.unauthorized", None),
        ("fail=404", Permanent, "model.unknown", None),
        ("fail=400", Permanent, "model.refused", None),
        ("fail=422", Permanent, "model.refused", None),
        ("fail=302", Permanent, "model.refused", None),
    ],
)
def test_a_refusal_says_whether_and_when_to_try_again_and_never_the_key(
    asker, model_server, behaviour, kind, code, after
):
    with pytest.raises((Retryable, Permanent)) as failed:
        list(asker.stream(f"words?{behaviour}&echo_key=1"))
    error = failed.value
    assert (type(error), error.code, getattr(error, "after", None)) == (kind, code, after)
    assert "Your key was [redacted]" in error.reason
    assert KEY not in error.reason + str(error.details)
    assert error.__context__ is None or error.__suppress_context__, "nothing that knows the key hangs on it"
    assert error.__cause__ is None
    assert len(model_server.seen()) == 1  # the client tries nothing again by itself


@pytest.mark.parametrize(
    ("behaviour", "code", "pieces"),
    [
        ("cut_after=3", "model.cut_off", 3),
        ("end_after=3", "model.cut_off", 3),
        ("malformed_after=3", "model.malformed", 3),
        ("error_after=3", "model.unavailable", 3),
        ("error_after=3&code=rate_limit_exceeded", "model.rate_limited", 3),
    ],
)
def test_an_answer_that_breaks_off_gives_what_came_and_then_fails(asker, behaviour, code, pieces):
    texts = []
    with pytest.raises(Retryable) as failed:
        texts.extend(delta.text for delta in asker.stream(f"words?{behaviour}"))
    assert failed.value.code == code
    assert KEY not in failed.value.reason
    assert "".join(texts) == answer_text(AS_SENT, pieces)


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("hang=1", "no token within 0.3 s"),
        ("first_s=60", "no token within 0.3 s"),
        ("first_token_s=60", "no token within 0.3 s"),
        ("hang_after=2", "no further token within 0.2 s"),
        ("hang_after=2&comments=1", "no further token within 0.2 s"),
        ("tokens=100000&per_s=50", "no whole answer within 1 s"),
    ],
)
def test_a_provider_that_takes_too_long_is_given_up(model_server, eventually, behaviour, says):
    asker = Asker(model_server, first_token_s=0.3, idle_s=0.2, timeout_s=1)
    began = time.monotonic()
    with pytest.raises(Retryable, match=says) as failed:
        list(asker.stream(f"words?{behaviour}"))
    assert failed.value.code == "model.timeout"
    assert time.monotonic() - began < 10
    assert eventually(lambda: model_server.seen()[0].ended == "left")
    asker.registry.close()


def test_nobody_listening_is_unavailable():
    registry = ModelRegistry({"gone": {"base_url": "http://127.0.0.1:9/v1"}})
    model, name = registry.find("gone/any")
    with pytest.raises(Retryable, match="cannot be reached: Connection refused") as failed:
        next(model.stream(ModelRequest(name, ASKED), lambda _: None))
    assert failed.value.code == "model.unavailable"


def test_a_wrong_key_is_told_and_a_missing_one_is_not_sent(model_server):
    model_server.behave("locked", key_needed=1)
    registry = ModelRegistry({"peer": {"base_url": model_server.base_url}})
    model, name = registry.find("peer/locked")
    with pytest.raises(Permanent) as failed:
        list(model.stream(ModelRequest(name, ASKED), lambda _: None))
    assert failed.value.code == "model.unauthorized"
    assert model_server.seen()[0].key == ""
    assert Asker(model_server).text("locked") == answer_text(AS_SENT, TOKENS)
    registry.close()


def test_a_key_that_no_header_may_have_is_never_told(model_server):
    key = "sk-with\x0ba-control-character"
    registry = ModelRegistry({"peer": {"base_url": model_server.base_url, "secret": "peer"}})
    model, name = registry.find("peer/words", lambda _name, host=None: key)
    with pytest.raises(Permanent) as failed:
        list(model.stream(ModelRequest(name, ASKED), lambda _: None))
    assert failed.value.code == "model.unauthorized"
    assert "control-character" not in failed.value.reason + str(failed.value.details)
    registry.close()


def test_what_the_environment_says_of_openai_goes_to_nobody(asker, model_server, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "leak-of-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: leak-of-the-environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert asker.text("words") == answer_text(AS_SENT, TOKENS)
    headers = model_server.seen()[0].headers
    assert "leak-of-the-environment" not in str(headers)
    assert not [name for name in headers if name.startswith("x-")]


@pytest.mark.parametrize(
    ("continues", "behaviour", "sent"),
    [
        ("vllm", "words", {"continue_final_message": True, "add_generation_prompt": False}),
        ("deepseek", "words", {"prefix": True}),
        ("mistral", "words?echo_prefix=1", {"prefix": True}),
    ],
)
def test_an_answer_goes_on_from_its_beginning(model_server, continues, behaviour, sent):
    asker = Asker(model_server, continues=continues)
    prefix = answer_text(AS_SENT, 7)
    assert prefix + asker.text(behaviour, prefix=prefix) == answer_text(AS_SENT, TOKENS)
    body = model_server.seen()[0].body
    last = body["messages"][-1]
    assert (last["role"], last["content"]) == ("assistant", prefix)
    assert sent.items() <= (body | last).items()
    asker.registry.close()


@pytest.mark.parametrize(
    "behaviour", ["hang=1", "first_s=60", "hang_after=5", "first_token_s=60", "tokens=9999&per_s=20"]
)
def test_closing_from_another_thread_ends_the_connection_at_once(asker, model_server, eventually, behaviour):
    model = f"words?{behaviour}"
    closers, ended = queue.SimpleQueue(), queue.SimpleQueue()

    def read():
        try:
            list(asker.stream(model, closers.put))
        except ActionCancelled:
            ended.put(time.monotonic())

    thread = threading.Thread(target=read)
    thread.start()
    close = closers.get(timeout=30)
    eventually(lambda: [asked for asked in model_server.seen() if "first" in model or "=1" in model or asked.sent])
    closed_at = time.monotonic()
    close()
    close()  # twice does no harm
    reader_s = ended.get(timeout=30) - closed_at
    thread.join()
    (asked,) = eventually(lambda: [asked for asked in model_server.seen() if asked.ended])
    assert asked.ended == "left"
    # 200 ms is the promise; it takes about one.
    assert asked.ended_at - closed_at < 0.6
    assert reader_s < 0.6


def test_an_answer_that_is_no_longer_wanted_ends_its_connection(asker, model_server, eventually):
    answer = asker.stream("words?tokens=9999&per_s=100")
    next(answer)
    left_at = time.monotonic()
    answer.close()
    (asked,) = eventually(lambda: [asked for asked in model_server.seen() if asked.ended])
    assert asked.ended == "left"
    assert asked.ended_at - left_at < 0.6


def test_connections_are_used_again_and_a_late_close_hits_nobody_else(asker, model_server):
    closers = []
    asker_text = "".join(delta.text for delta in asker.stream("words", closers.append))
    second = asker.stream("words?tokens=9&hang_after=5", closers.append)
    begun = [next(second).text for _ in range(5)]
    closers[0]()  # the first answer's, whose connection the second has now
    connections = {asked.connection for asked in model_server.seen()}
    second.close()
    assert asker_text == answer_text(AS_SENT, TOKENS)
    assert "".join(begun) == answer_text(AS_SENT, 5)
    assert len(connections) == 1
    assert asker.text("words") == answer_text(AS_SENT, TOKENS)


def test_a_kept_connection_that_the_provider_closed_costs_no_attempt(asker, model_server, eventually):
    # Clients of other tests may keep some until they are collected.
    others = model_server.open_connections()
    assert asker.text("words")
    asker.text("words?reuse=0")
    eventually(lambda: model_server.open_connections() <= others)
    assert asker.text("words") == answer_text(AS_SENT, TOKENS)


def test_200_answers_at_once_are_whole_and_over_one_client(asker, model_server):
    texts = queue.SimpleQueue()

    def read(number):
        texts.put(asker.text(f"words-{number}?tokens=60&per_s=30"))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {texts.get() for _ in threads} == {answer_text(AS_SENT, 60)}
    assert texts.empty()
    seen = model_server.seen()
    assert len(seen) == 200
    began, ended = sorted(asked.asked_at for asked in seen), sorted(asked.ended_at for asked in seen)
    at_once = max(place + 1 - sum(end < start for end in ended) for place, start in enumerate(began))
    assert at_once > 100
    assert {asked.ended for asked in seen} == {"answered"}


def test_a_forked_child_asks_over_connections_of_its_own(model_server):
    """As prefork workers do: the parent may have asked before."""
    import multiprocessing

    asker = Asker(model_server)
    assert asker.text("parent")
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    children = [
        context.Process(target=lambda number=number: answers.put(asker.text(f"child-{number}"))) for number in range(3)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [answers.get() for _ in children] == [answer_text(AS_SENT, TOKENS)] * 3
    assert asker.text("parent") == answer_text(AS_SENT, TOKENS)
    by_model = {asked.model: asked.connection for asked in model_server.seen()}
    assert len(set(by_model.values())) == 4
    asker.registry.close()
