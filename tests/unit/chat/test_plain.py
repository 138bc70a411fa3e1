"""Answers without runs pass the same filters."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.chat.filters import FilterChain, passed_filters
from orchestration.chat.plain import ReadSecrets, stream_filtered
from orchestration.errors import InvalidChat
from orchestration.models.port import Delta
from orchestration.redaction import MASK, Redactor
from orchestration.secrets import SecretStore
from schemas.chat import MAX_FILTERS, ChatContext, ChatRole, ContextMessage, Usage
from tests.support.chat_filters import SHOUTED
from tests.support.scripted_model import ScriptedModel

CONTEXT = ChatContext(messages=(ContextMessage(role=ChatRole.USER, content="hi"),))
USAGE = Usage(prompt_tokens=1, completion_tokens=3)


def model_of(*said: str | Exception) -> ScriptedModel:
    """A model that says three words, or these, and tells its end and what it took in two pieces."""
    return ScriptedModel(*(said or ("one ", "two ", "three")), Delta(finish_reason="stop"), Delta(usage=USAGE))


def stream(model: ScriptedModel, *names: str, redactor: Redactor | None = None) -> Generator[Delta]:
    filters = FilterChain.of(names, {}, print)
    return stream_filtered(model, "m", CONTEXT, filters, lambda close: None, redactor or Redactor())


def answered(*names: str) -> tuple[ScriptedModel, list[Delta]]:
    model = model_of()
    return model, list(stream(model, *names))


def test_without_filters_all_is_handed_on_as_it_comes() -> None:
    _, deltas = answered()
    assert deltas == [Delta("one "), Delta("two "), Delta("three"), Delta("", "stop", USAGE)]


def test_pieces_are_filtered_as_they_come() -> None:
    model, deltas = answered("t.brief", "t.pairs", "t.shout")
    assert [delta.text for delta in deltas] == ["ONE TWO ", "THREE", ""]
    assert [message.content for message in model.asked[0].messages] == ["Be brief.", "hi"]


def test_where_a_filter_is_to_see_the_whole_first_it_comes_as_a_whole() -> None:
    _, deltas = answered("t.stumbles", "t.sign")
    assert [delta.text for delta in deltas] == [f"ONE TWO three\n{SHOUTED}", ""]


def test_who_leaves_closes_the_model() -> None:
    model = model_of()
    deltas = stream(model)
    next(deltas)
    deltas.close()
    assert model.closed


@pytest.mark.parametrize("names", [(), ("t.sign",)], ids=["piece by piece", "as a whole"])
def test_a_secret_that_was_read_for_it_is_masked_wherever_its_pieces_break(names: tuple[str, ...]) -> None:
    key = "plain-key-5f3b9c2e7a"
    secrets = ReadSecrets(SecretStore(None, {"PERDURE_SECRET_OPENAI": key}))
    assert secrets("openai", host="api.example.com") == key
    model = model_of("the key is ", key[:7], key[7:], " and password=hunter2 is an example")
    text = "".join(delta.text for delta in stream(model, *names, redactor=secrets.redactor))
    assert text.startswith(f"the key is {MASK} and password=hunter2 is an example")


def test_what_was_kept_back_as_the_beginning_of_a_secret_is_given_at_the_end() -> None:
    text = "".join(delta.text for delta in stream(model_of("plain-key"), redactor=Redactor(["plain-key-5f3b9c2e7a"])))
    assert text == "plain-key"


def test_halves_of_a_character_are_joined_and_what_no_client_can_read_is_replaced() -> None:
    deltas = list(stream(model_of("a\ud83d", "\ude00b", "\ude00", "\x00", "c")))
    assert "".join(delta.text for delta in deltas) == "a\U0001f600b\ufffd\ufffdc"
    assert [delta.text.encode() for delta in deltas]


def test_a_model_that_raises_fails_with_a_code_and_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    deltas = stream(model_of("one ", KeyError("the words of its author")))
    assert next(deltas) == Delta("one ")
    with pytest.raises(Retryable, match=r"t/m failed") as raised:
        next(deltas)
    assert raised.value.code == "model.failed"
    assert "author" not in raised.value.reason
    assert "the words of its author" in caplog.text


@pytest.mark.parametrize("error", [Retryable("r", code="model.cut_off"), Permanent("p"), ActionCancelled("c")])
def test_what_a_model_may_raise_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        list(stream(model_of(error)))
    assert raised.value is error


def test_filters_of_the_settings_come_first_and_once() -> None:
    assert passed_filters(("t.sign", "t.shout"), ("t.shout", "t.brief")) == ("t.sign", "t.shout", "t.brief")
    with pytest.raises(InvalidChat, match="no filter"):
        passed_filters((), ("t.nothing",))
    with pytest.raises(InvalidChat, match="1 of which every answer passes"):
        passed_filters(("t.sign",), [f"t.f{number}" for number in range(MAX_FILTERS)])
