"""Reads a streamed answer of chat completions: bytes in, deltas out. Pure.

The SDK's own reader makes an object of each chunk, which costs several times what reading it costs (docs/models.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from orchestration.models.port import Delta
from schemas.chat import Usage

MAX_LINE_BYTES = 1024 * 1024

_FINISHES = frozenset({"stop", "length", "content_filter", "tool_calls", "function_call"})
# What some servers say when the limit of tokens was met.
_LENGTHS = frozenset({"max_tokens", "model_length"})


class Malformed(Exception):
    """What came is no answer. The text says what is wrong and quotes the beginning of it."""


class SaidError(Exception):
    """The provider said an error in the midst of its answer; `error` is what it said."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error.get("message") or error))
        self.error = error


class AnswerReader:
    """One answer. `begun`: something came; `ended`: nothing more will; `thinking`: the last piece was a thought.

    `finish_reason`: one of OpenAI's words. `usage`: None where there was none, or no such number can be.
    """

    def __init__(self) -> None:
        self._left = b""
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.begun = False
        self.thinking = False
        self.ended = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The pieces of text in what came, which may be empty ones: each is a sign of life.

        Raises: Malformed, SaidError.
        """
        *lines, self._left = (self._left + data if self._left else data).split(b"\n")
        if len(self._left) > MAX_LINE_BYTES:
            raise Malformed(f"a line is longer than {MAX_LINE_BYTES} bytes")
        for line in lines:
            # Comments, names of events and empty lines mean nothing here.
            if line.startswith(b"data:"):
                payload = line[5:].strip()
                if payload == b"[DONE]":
                    self.ended = True
                elif payload:
                    self.begun = True
                    yield self._chunk(payload)

    def last(self) -> Delta | None:
        """The delta that ends the answer; None when it broke off. `[DONE]` ends one that gave no reason."""
        if self.finish_reason is None and not self.ended:
            return None
        return Delta(finish_reason=self.finish_reason or "stop", usage=self.usage)

    def _chunk(self, payload: bytes) -> str:
        try:
            chunk = _read(payload)
            if chunk.get("error"):
                raise SaidError(_error(chunk["error"]))
            if chunk.get("object") == "error":
                raise SaidError(chunk)
            if chunk.get("usage"):
                self.usage = _usage(chunk["usage"])
            choices = chunk.get("choices")
            if not choices:
                return ""
            choice = choices[0]
            if choice.get("finish_reason"):
                self.finish_reason = _finish_reason(choice["finish_reason"])
            delta = choice.get("delta") or {}
            text = delta.get("content") or delta.get("refusal") or ""
            self.thinking = not text and bool(delta.get("reasoning_content") or delta.get("reasoning"))
            if isinstance(text, str):
                return text
        except (ValueError, TypeError, AttributeError, LookupError):
            pass
        raise Malformed(f"a piece of it is no chunk of an answer: {payload[:200].decode('utf-8', 'replace')}")


class EchoDropper:
    """Takes the beginning of an answer off it, for a provider that repeats the prefix it goes on from."""

    def __init__(self, prefix: str) -> None:
        self._expected = prefix
        self._held = ""

    def feed(self, text: str) -> str:
        """What is new in this piece. An answer that begins otherwise is given out whole."""
        if not self._expected:
            return text
        self._held += text
        if self._held.startswith(self._expected):
            new = self._held[len(self._expected) :]
        elif self._expected.startswith(self._held):
            return ""
        else:
            new = self._held
        self._expected = self._held = ""
        return new

    def flush(self) -> str:
        """What was held back until the answer ended."""
        held, self._held = self._held, ""
        return held


def _error(said: Any) -> dict[str, Any]:
    return said if isinstance(said, dict) else {"message": str(said)}


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        # A whole number of thousands of digits is refused, but no reason to lose the answer it came with.
        return json.loads(payload, parse_int=float)


def _finish_reason(said: Any) -> str:
    """What is no word of OpenAI's has at least ended the answer."""
    if not isinstance(said, str):
        return "stop"
    return "length" if said in _LENGTHS else said if said in _FINISHES else "stop"


def _usage(said: Any) -> Usage | None:
    """None for what cannot be a count of tokens: then it is estimated, and the answer stands."""
    try:
        usage = Usage(
            prompt_tokens=int(said.get("prompt_tokens") or 0), completion_tokens=int(said.get("completion_tokens") or 0)
        )
    except (ValueError, TypeError, AttributeError, OverflowError):
        return None
    return usage if usage.is_plausible else None
