"""What a language model is to those who ask it: one small protocol. `registry.py` finds models by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.chat import ContextMessage, ModelParameters, Usage


@dataclass(frozen=True)
class ModelRequest:
    """What a model is asked. `model` is the provider's own name for it.

    `prefix`: the beginning of the answer, which a model that can is to go on from (see `LanguageModel.continues`).
    """

    model: str
    messages: Sequence[ContextMessage]
    parameters: ModelParameters = field(default_factory=ModelParameters)
    user: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer, as the provider sent it. The last brings `finish_reason`, and `usage` if it was counted.

    `is_thinking`: the model has begun to think, and says nothing of it; told once, without a text.

    `finish_reason`: `stop`, `length` (the limit of tokens was met), `content_filter`, or another word of OpenAI's.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    is_thinking: bool = False


OnClose = Callable[[Callable[[], None]], None]
"""Takes what ends the request at once, to be called from another thread when the attempt is cancelled."""


class LanguageModel(Protocol):
    """A provider of models."""

    @property
    def name(self) -> str:
        """The provider's name, as in `provider/model`."""

    @property
    def continues(self) -> bool:
        """Whether its models go on from a `prefix`, so that an answer that lost its worker is taken up again."""

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        """Ask, and yield what is answered as it comes. Closing the iterator closes the connection.

        Raises: orchestration.actions.outcomes.Retryable for what may pass (with `after` where the provider said so),
        Permanent for what will not; the code says what kind: `model.rate_limited`, `model.unavailable`,
        `model.timeout`, `model.cut_off`, `model.malformed`, `model.refused`, `model.unauthorized`, `model.unknown`.
        ActionCancelled once what `on_close` was given has been called.
        """

    def models(self) -> Sequence[str]:
        """The models it offers, by its own names; empty when it takes any."""
