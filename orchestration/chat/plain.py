"""An answer without a run: handed on from its model as it comes, through the same filters."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing

from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.chat.filters import FilterChain
from orchestration.chat.halves import Halves
from orchestration.chat.plans import ACTION
from orchestration.core.storable import storable_text
from orchestration.models.port import Delta, LanguageModel, ModelRequest, OnClose
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from schemas.chat import ChatContext

log = logging.getLogger("perdure.chat")


class ReadSecrets:
    """Reads secrets for one answer, and remembers them: they are masked in it."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store
        self.redactor = Redactor()

    def __call__(self, name: str, *, host: str | None = None) -> str:
        """As `SecretOf`."""
        value = self._store.get(name, action=ACTION, host=host)
        self.redactor.add(value)
        return value


def stream_filtered(
    model: LanguageModel,
    own_name: str,
    context: ChatContext,
    filters: FilterChain,
    on_close: OnClose,
    redactor: Redactor,
) -> Generator[Delta]:
    """What the model answers, without the secrets that `redactor` knows by then.

    Where a filter is to see the whole first, it comes as a whole, at the end.
    Raises: as `LanguageModel.stream`; Permanent when a filter failed that must not; Retryable (`model.failed`) for
    whatever else the model raises, which is logged.
    """
    try:
        yield from _filtered(model, own_name, context, filters, on_close, redactor)
    except (Retryable, Permanent, ActionCancelled):
        raise
    except Exception as error:
        # A provider's own code raised it, and its words may be anything: they are for the log.
        name = f"{model.name}/{own_name}"
        log.exception("model raised", extra={"model": name})
        raise Retryable(
            f"the model {name} failed with an error of its own; the server's log says which", code="model.failed"
        ) from error


def _filtered(
    model: LanguageModel,
    own_name: str,
    context: ChatContext,
    filters: FilterChain,
    on_close: OnClose,
    redactor: Redactor,
) -> Generator[Delta]:
    context = filters.inlet(context)
    request = ModelRequest(own_name, context.messages, context.parameters, context.user)
    is_whole_first = filters.has_outlet
    held: list[str] = []
    ending = Delta()
    halves = Halves()
    # What only looks like a secret stays, as in every answer.
    masked = redactor.stream(guess=False)
    with closing(_closable(model, request, on_close)) as deltas:
        for delta in deltas:
            if delta.finish_reason is not None or delta.usage is not None:
                ending = Delta("", delta.finish_reason or ending.finish_reason, delta.usage or ending.usage)
            text = filters.stream(halves.joined(delta.text)) if delta.text else ""
            if is_whole_first:
                held.append(text)
            elif text := masked.feed(_clean(text)):
                yield Delta(text)
    text = "".join((*held, filters.flush()))
    text = filters.outlet(text) if is_whole_first else text
    if text := masked.feed(_clean(text)) + masked.flush():
        yield Delta(text)
    yield ending


def _clean(text: str) -> str:
    return storable_text(text, len(text))


def _closable(model: LanguageModel, request: ModelRequest, on_close: OnClose) -> Generator[Delta]:
    yield from model.stream(request, on_close)
