"""Pipes: Python functions as models. `@chat_pipe("name")` makes a function the model `pipe/name`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import Any, TypeVar

from orchestration.actions.outcomes import ActionCancelled, Permanent
from orchestration.models.port import Delta, ModelRequest, OnClose

NAME = "pipe"
PIPE_PATTERN = r"[a-z][a-z0-9_.-]{0,99}"

Pipe = TypeVar("Pipe", bound=Callable[..., Iterable[str | Delta]])

_pipes: dict[str, PipeModel] = {}


def chat_pipe(name: str, *, label: str = "", continues: bool = False) -> Callable[[Pipe], Pipe]:
    """Register a function `(request) -> iterator of text` as the model `pipe/<name>`.

    It may yield `Delta` as well, to give a finish reason and usage. With a second parameter it is given `on_close`, as
    of `LanguageModel.stream`, for what it has to end when somebody stops the answer while it waits; between two pieces
    it is ended anyway. `continues`: it goes on from `request.prefix`. Raises: ValueError for a bad or taken name.
    """
    if not re.fullmatch(PIPE_PATTERN, name):
        raise ValueError(f"the pipe {name!r}: use lower-case letters, digits, '_', '.' and '-', such as 'house-style'")

    def register(function: Pipe) -> Pipe:
        known = _pipes.get(name)
        if known is not None and _place(known.function) != _place(function):
            raise ValueError(f"the pipe {name!r} is already declared in {known.function.__module__}")
        wants_close = len(inspect.signature(function).parameters) > 1
        _pipes[name] = PipeModel(name, function, label or name, continues, wants_close)
        return function

    return register


def known_pipes() -> dict[str, PipeModel]:
    """The pipes that this process knows, by name."""
    return dict(sorted(_pipes.items()))


@dataclass(frozen=True)
class PipeModel:
    """A pipe as a provider of one model."""

    pipe: str
    function: Callable[..., Iterable[str | Delta]]
    label: str
    continues: bool
    wants_close: bool
    name: str = NAME

    def models(self) -> Sequence[str]:
        return (self.pipe,)

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        """What the function yields, then a finish. What it raises passes.

        Raises: Permanent (`model.malformed`) when it yields anything but text, ActionCancelled once it is closed.
        """
        closed = Event()
        on_close(closed.set)
        pieces = self.function(request, on_close) if self.wants_close else self.function(request)
        if isinstance(pieces, str):
            pieces = (pieces,)
        finished = False
        with closing(_closable(pieces)) as flowing:
            for piece in flowing:
                if closed.is_set():
                    raise ActionCancelled("the answer was closed")
                if finished or not isinstance(piece, str | Delta):
                    raise Permanent(self._wrong(piece, finished), code="model.malformed")
                delta = Delta(piece) if isinstance(piece, str) else piece
                finished = delta.finish_reason is not None
                yield delta
        if not finished:
            yield Delta(finish_reason="stop")

    def _wrong(self, piece: object, finished: bool) -> str:
        if finished:
            return f"the pipe {self.pipe!r} went on after its finish reason"
        return f"the pipe {self.pipe!r} yielded {type(piece).__name__} instead of text"


def _closable(pieces: Iterable[Any]) -> Generator[Any]:
    """As a generator, which passes being closed on to a generator inside."""
    yield from pieces


def _place(function: Callable[..., object]) -> tuple[str, str]:
    return function.__module__, function.__qualname__
