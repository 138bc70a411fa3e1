"""How many tokens a text takes, where nobody has counted."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.chat import ContextMessage

BYTES_A_TOKEN = 4
# What a message costs beside its content: who says it, and where it begins and ends.
TOKENS_A_MESSAGE = 4


def estimated_tokens(text: str) -> int:
    """A guess from the text's length: four bytes of UTF-8 are a token, as they are in English prose on average."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def estimated_prompt_tokens(messages: Iterable[ContextMessage]) -> int:
    """The same of all that a model is told."""
    return sum(estimated_tokens(message.content) + TOKENS_A_MESSAGE for message in messages)
