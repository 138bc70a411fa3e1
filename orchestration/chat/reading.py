"""Reading conversations and messages as PostgreSQL has them; the web and the relay add what is still on its way."""

from __future__ import annotations

from datetime import datetime

from orchestration.errors import UnknownConversation, UnknownMessage
from orchestration.store.database import Database
from schemas.json import JsonObject

# Messages of a page of a conversation, and characters of them.
PAGE = 100
PAGE_CHARACTERS = 1_000_000


class Conversations:
    """What is stored, as `schemas.chat` describes it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def message(self, message_id: str) -> JsonObject:
        """A message, with its proposals. Of one that is being written, the text as far as it is stored.

        Raises: UnknownMessage.
        """
        found: JsonObject | None = self.database.call("SELECT read_message(%s)", message_id)
        if found is None:
            raise UnknownMessage(f"there is no message {message_id!r}", where="/message")
        return found

    def writing(self) -> JsonObject:
        """`writing`: how many messages are being written in each conversation, by its id, for those where any are;
        `changed_at`: when a conversation was last said something in.
        """
        found: JsonObject = self.database.call(
            "SELECT jsonb_build_object("
            "'changed_at', (SELECT max(c.updated_at) FROM conversations c), 'writing', coalesce(("
            "SELECT jsonb_object_agg(w.public_id, w.count) FROM ("
            "SELECT c.public_id, count(*) FROM messages m JOIN conversations c ON c.id = m.conversation_id "
            "WHERE m.status = 'writing' AND m.part = 'message' GROUP BY c.public_id) w), '{}'))"
        )
        return found

    def answer_of(self, run_id: str) -> str | None:
        """The id of the message that a run answers with, of a battle the first; None when it answers none."""
        found: str | None = self.database.call(
            "SELECT m.public_id FROM runs r JOIN messages m ON m.run_id = r.id "
            "WHERE r.public_id = %s AND m.part = 'message' ORDER BY m.id LIMIT 1",
            run_id,
        )
        return found

    def conversation(self, conversation_id: str, *, limit: int = PAGE, before: str | None = None) -> JsonObject:
        """A conversation with a page of its messages, see `ConversationAnswer`; of those before the message `before`.

        Raises: UnknownConversation, UnknownMessage.
        """
        found: JsonObject | None = self.database.call(
            "SELECT read_conversation(%s, %s, %s, %s)", conversation_id, limit, before, PAGE_CHARACTERS
        )
        if found is None:
            raise UnknownConversation(f"there is no conversation {conversation_id!r}", where="/conversation")
        if found["messages"] is None:
            raise UnknownMessage(
                f"the conversation has no message {before!r}", where="/before", mend="name the `older` of a page of it"
            )
        return found

    def writing_runs(self, *, conversation: str | None = None, message: str | None = None) -> list[str]:
        """The runs that write in a conversation; or, of one message, those that write it and its proposals."""
        found: list[str] = self.database.call("SELECT chat_runs(%s, %s)", conversation, message)
        return found

    def page(self, limit: int, before: datetime | None, before_id: str | None) -> list[JsonObject]:
        """Conversations, the last changed first; `before` and `before_id` are of the last of the page before."""
        found: list[JsonObject] = self.database.call("SELECT list_conversations(%s, %s, %s)", limit, before, before_id)
        return found
