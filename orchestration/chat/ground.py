"""What a message goes on from: what was said before it, and the settings that hold in its conversation."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestration.core.storable import storable_text
from orchestration.errors import UnknownConversation, UnknownMessage
from orchestration.store.database import Database
from schemas.chat import MAX_CONTEXT_MESSAGES, ChatRequest, ChatRole, ContextMessage, ConversationSettings
from schemas.json import JsonObject


@dataclass(frozen=True)
class Said:
    """Where an exchange begins: what came before it, what its first new message follows, and what holds there."""

    messages: tuple[ContextMessage, ...]
    parent: str | None
    settings: ConversationSettings = field(default_factory=ConversationSettings)


def said_before(database: Database, asked: ChatRequest) -> Said:
    """What was said before, up to the message that the new one follows. Raises: UnknownMessage."""
    if asked.says_parent and asked.parent is None:
        found = database.call("SELECT settings FROM conversations WHERE public_id = %s", asked.id)
        return Said((), None, settings_of(found))
    ground = database.call("SELECT read_ground(%s, %s, %s)", asked.id, asked.parent, MAX_CONTEXT_MESSAGES - 2)
    branch = ground["branch"]
    if branch is None:
        if asked.parent is not None:
            raise UnknownMessage(
                f"the conversation has no message {asked.parent!r}",
                where="/parent",
                mend="read the conversation, and name one of its messages",
            )
        return Said((), None)
    return Said(_as_context(branch), branch[-1]["id"] if branch else None, settings_of(ground["settings"]))


def said_up_to(database: Database, conversation: str | None, message: str) -> Said:
    """What was said up to a message, itself included. Raises: UnknownConversation when that was deleted."""
    ground = database.call("SELECT read_ground(%s, %s, %s)", conversation, message, MAX_CONTEXT_MESSAGES - 1)
    if not ground["branch"]:
        raise UnknownConversation("the conversation is not there any more", where="/message")
    return Said(_as_context(ground["branch"]), message, settings_of(ground["settings"]))


def instructions_of(system: str | None, before: tuple[ContextMessage, ...]) -> tuple[ContextMessage, ...]:
    """New instructions as a message; none where some hold already."""
    if not system or any(message.role is ChatRole.SYSTEM for message in before):
        return ()
    return (ContextMessage(role=ChatRole.SYSTEM, content=storable_text(system, len(system))),)


def settings_of(kept: JsonObject | None) -> ConversationSettings:
    """Settings as they are kept; None: none were given."""
    return ConversationSettings.model_validate(kept or {})


def _as_context(branch: list[JsonObject]) -> tuple[ContextMessage, ...]:
    """A branch as a model is told it. Answers that came to nothing are left out."""
    return tuple(
        ContextMessage(role=ChatRole(one["role"]), content=one["text"])
        for one in branch
        if one["text"] or one["role"] != ChatRole.ASSISTANT
    )
