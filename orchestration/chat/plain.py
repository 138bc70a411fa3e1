"""An answer without a run: handed on from its model as it comes, through the same filters."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from orchestration.chat.filters import FilterChain
from orchestration.models.port import Delta, LanguageModel, ModelRequest, OnClose
from schemas.chat import ChatContext


def stream_filtered(
    model: LanguageModel, own_name: str, context: ChatContext, filters: FilterChain, on_close: OnClose
) -> Generator[Delta]:
    """What the model answers. Where a filter is to see the whole first, it comes as a whole, at the end.

    Raises: as `LanguageModel.stream`; Permanent when a filter failed that must not.
    """
    context = filters.inlet(context)
    request = ModelRequest(own_name, context.messages, context.parameters, context.user)
    is_whole_first = filters.has_outlet
    held: list[str] = []
    ending = Delta()
    with closing(_closable(model, request, on_close)) as deltas:
        for delta in deltas:
            if delta.finish_reason is not None or delta.usage is not None:
                ending = Delta("", delta.finish_reason or ending.finish_reason, delta.usage or ending.usage)
            text = filters.stream(delta.text) if delta.text else ""
            if is_whole_first:
                held.append(text)
            elif text:
                yield Delta(text)
    text = "".join((*held, filters.flush()))
    text = filters.outlet(text) if is_whole_first else text
    if text:
        yield Delta(text)
    yield ending


def _closable(model: LanguageModel, request: ModelRequest, on_close: OnClose) -> Generator[Delta]:
    yield from model.stream(request, on_close)
