"""What `/api/chat/*` answers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from schemas.answers.parts import Answer, Part
from schemas.chat import ChatAnswer, Conversation, ConversationSettings, Message, Rating, StepShown, Timings, Usage

__all__ = [
    "ChatAcceptedAnswer",
    "ChatModelShown",
    "ChatModelsAnswer",
    "Conversation",
    "ConversationAnswer",
    "ConversationSettings",
    "ConversationsAnswer",
    "ConversationsPlace",
    "Message",
    "MessageAnswer",
    "Rating",
    "RatingsAnswer",
    "StepShown",
    "Timings",
    "Usage",
    "VotedAnswer",
]


class _Success(BaseModel):
    """Beside the fields of what is answered. Problems carry `success: false`."""

    success: Literal[True] = True


class ChatAcceptedAnswer(ChatAnswer, _Success):
    """A message was accepted, and a run answers it."""


class MessageAnswer(Message, _Success):
    """A message, its text as new as can be."""


class ConversationAnswer(Conversation, _Success):
    """A conversation with a page of its messages, the oldest first. Mixtures' proposals come with a message.

    The first page has the last messages of all branches by age, and of the branch that is read as many; what is older
    comes on pages of its own.
    """

    messages: tuple[Message, ...]
    older: str | None = Field(description="`before` of the page with older messages; null when there are none")
    total: int = Field(description="how many messages there are, counted up to 10,000")
    settings: ConversationSettings


class ConversationsPlace(Part):
    """Where a page of conversations ends: `before` and `before_id` of the next one."""

    before: datetime
    before_id: str


class ConversationsAnswer(Answer):
    """A page of conversations, the last changed first. `next`: null on the last page."""

    conversations: list[Conversation]
    next: ConversationsPlace | None


class ChatModelShown(Part):
    """What can be asked: `name` is `provider/model`, of a mixture `mixture/name`."""

    name: str
    label: str
    provider: str
    kind: Literal["model", "mixture"]


class ChatModelsAnswer(Answer):
    """What can be asked, and what is asked when nothing is named; null: something must be."""

    models: list[ChatModelShown]
    default: str | None
    orchestrated: bool = Field(description="false: answers are streamed plainly, and nothing is kept")


class VotedAnswer(Answer):
    """A vote was recorded. `models`: which model wrote which message."""

    battle: str
    verdict: Literal["winner", "tie", "all_bad"]
    winner: str | None
    models: dict[str, str]


class RatingsAnswer(Answer):
    """The table of models by the last 10,000 votes; `battles` says of how many it is made."""

    ratings: list[Rating]
    battles: int
