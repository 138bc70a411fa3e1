"""Joins the halves of characters that a provider sent in two pieces."""

from __future__ import annotations

from orchestration.core.storable import storable_text


class Halves:
    """The pieces of one answer: some servers cut a character into two surrogates, a piece each."""

    def __init__(self) -> None:
        self._half = ""

    def joined(self, text: str) -> str:
        """The text up to its last complete character, as it can be stored and sent."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return storable_text(text, len(text))
