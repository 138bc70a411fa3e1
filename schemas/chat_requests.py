"""What is asked of `/api/chat/*` by path and query, and the controls of its messages."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.requests import Moment, Query, StepName
from schemas.workflow import PublicId

MAX_PAGE = 200


class ConversationPath(BaseModel):
    """Which conversation."""

    conversation_id: PublicId


class MessagePath(BaseModel):
    """Which message."""

    message_id: PublicId


class BattlePath(BaseModel):
    """Which battle."""

    battle_id: PublicId


class ConversationsQuery(Query):
    """Which page of the conversations: `before` and `before_id` are the `next` of the page before."""

    limit: int = Field(50, ge=1, le=MAX_PAGE)
    before: Moment | None = None
    before_id: PublicId | None = None


class ConversationQuery(Query):
    """Which page of a conversation's messages: `before` is the `older` of the page before; unset: the last ones."""

    limit: int = Field(100, ge=1, le=500, description="messages; fewer where they are long")
    before: PublicId | None = None


class StopRequest(BaseModel):
    """Nothing is to be said."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RetryRequest(BaseModel):
    """Which step of the message's run, such as the agent of a mixture that failed; unset: the one that writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    step: StepName | None = Field(None, description="key or index")
