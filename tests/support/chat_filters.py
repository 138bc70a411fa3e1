"""Filters for the tests of chats, imported by their workers as authors' modules are."""

from __future__ import annotations

from orchestration.chat.filters import chat_filter
from schemas.chat import ChatContext, ChatRole, ContextMessage

SHOUTED = "And all of that was shouted."


@chat_filter("t.brief", at="inlet")
def brief(context: ChatContext) -> ChatContext:
    """Asks for a short answer."""
    said = ContextMessage(role=ChatRole.SYSTEM, content="Be brief.")
    return context.model_copy(update={"messages": (said, *context.messages)})


@chat_filter("t.shout", at="stream", resumable=True)
def shout(text: str) -> str:
    """Answers in capitals."""
    return text.upper()


@chat_filter("t.sign", at="outlet")
def sign(text: str) -> str:
    """Adds a line to the answer."""
    return f"{text}\n{SHOUTED}"


@chat_filter("t.pairs")
class Pairs:
    """Lets pieces out two at a time, as one that holds back does."""

    def __init__(self) -> None:
        self.held = ""
        self.count = 0

    def stream(self, text: str) -> str:
        """Every second piece with the one before it."""
        self.held += text
        self.count += 1
        if self.count % 2:
            return ""
        given, self.held = self.held, ""
        return given

    def flush(self) -> str:
        """The last piece, where their number is odd."""
        return self.held


class _Stumbles:
    """Raises at the third piece."""

    def __init__(self) -> None:
        self.count = 0

    def stream(self, text: str) -> str:
        """The piece in capitals."""
        self.count += 1
        if self.count == 3:
            raise ValueError("the third piece")
        return text.upper()


@chat_filter("t.stumbles")
class Stumbles(_Stumbles):
    """Raises at the third piece, and may be passed over."""


@chat_filter("t.must", on_failure="fail")
class Must(_Stumbles):
    """Raises at the third piece, and no answer may do without it."""
