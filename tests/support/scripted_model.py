"""A model that says what a test tells it to, in this process: for tests of what becomes of an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from orchestration.models.port import Delta, ModelRequest, OnClose
from schemas.chat import Usage

END = Delta(finish_reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
WAIT_S = 20

Piece = str | Delta | Exception | threading.Event | Callable[[], None]


class ScriptedModel:
    """Says its pieces in order, and remembers what it was asked and how often it was closed.

    An exception is raised there, an event waited for (whoever closes the answer sets it), a function called. After the
    last piece nothing comes: an answer that ends says `END` itself.
    """

    name = "t"

    def __init__(self, *pieces: Piece, continues: bool = False) -> None:
        self.pieces = pieces
        self.continues = continues
        self.asked: list[ModelRequest] = []
        self.closed = 0

    def models(self) -> Sequence[str]:
        return ()

    def find(self, name: str, _secret_of: Any) -> tuple[Self, str]:
        """As the registry does."""
        return self, name.partition("/")[2]

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        self.asked.append(request)
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, threading.Event):
                    on_close(piece.set)
                    piece.wait(WAIT_S)
                elif isinstance(piece, str):
                    yield Delta(piece)
                elif isinstance(piece, Delta):
                    yield piece
                else:
                    piece()
        finally:
            self.closed += 1
