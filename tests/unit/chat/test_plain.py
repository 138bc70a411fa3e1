"""Answers without runs pass the same filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from orchestration.chat.filters import FilterChain, passed_filters
from orchestration.chat.plain import stream_filtered
from orchestration.errors import InvalidChat
from orchestration.models.port import Delta, ModelRequest, OnClose
from schemas.chat import MAX_FILTERS, ChatContext, ChatRole, ContextMessage, Usage
from tests.support.chat_filters import SHOUTED

CONTEXT = ChatContext(messages=(ContextMessage(role=ChatRole.USER, content="hi"),))
USAGE = Usage(prompt_tokens=1, completion_tokens=3)


class Model:
    """Says three words."""

    name = "t"
    continues = False

    def __init__(self) -> None:
        self.asked: list[ModelRequest] = []
        self.closed = False

    def models(self) -> Sequence[str]:
        return ()

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        del on_close
        self.asked.append(request)
        try:
            for word in ("one ", "two ", "three"):
                yield Delta(word)
            yield Delta(finish_reason="stop")
            yield Delta(usage=USAGE)
        finally:
            self.closed = True


def answered(*names: str) -> tuple[Model, list[Delta]]:
    model = Model()
    filters = FilterChain.of(names, {}, print)
    return model, list(stream_filtered(model, "m", CONTEXT, filters, lambda close: None))


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
    model = Model()
    deltas = stream_filtered(model, "m", CONTEXT, FilterChain.of((), {}, print), lambda close: None)
    next(deltas)
    deltas.close()
    assert model.closed


def test_filters_of_the_settings_come_first_and_once() -> None:
    assert passed_filters(("t.sign", "t.shout"), ("t.shout", "t.brief")) == ("t.sign", "t.shout", "t.brief")
    with pytest.raises(InvalidChat, match="no filter"):
        passed_filters((), ("t.nothing",))
    with pytest.raises(InvalidChat, match="1 of which every answer passes"):
        passed_filters(("t.sign",), [f"t.f{number}" for number in range(MAX_FILTERS)])
