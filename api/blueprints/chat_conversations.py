"""Conversations: listed, read, renamed, and deleted with all that was said in them."""

from __future__ import annotations

from contextlib import suppress

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.chat_answers import answer_polled, answer_with
from api.services import current_services
from orchestration.errors import IllegalControl, UnknownRun
from schemas.answers.chat import ConversationAnswer, ConversationsAnswer
from schemas.answers.parts import Done
from schemas.chat import Conversation, ConversationChange
from schemas.chat_requests import ConversationPath, ConversationQuery, ConversationsQuery
from schemas.statuses import Role

bp = APIBlueprint("conversations", __name__, url_prefix="/api/chat/conversations", abp_tags=[Tag(name="Conversations")])


@bp.get("", responses={200: ConversationsAnswer})
@requires(Role.VIEWER)
def conversations(query: ConversationsQuery) -> Response:
    """List conversations, the last changed first, with an ETag; `writing` counts the answers that are being written."""
    found = current_services().conversations.page(query.limit + 1, query.before, query.before_id)
    shown = [Conversation.model_validate(one) for one in found[: query.limit]]
    more = {"before": shown[-1].updated_at, "before_id": shown[-1].id} if len(found) > query.limit else None
    return answer_polled(ConversationsAnswer.model_validate({"conversations": shown, "next": more}))


@bp.get("/<conversation_id>", responses={200: ConversationAnswer})
@requires(Role.VIEWER)
def conversation(path: ConversationPath, query: ConversationQuery) -> Response:
    """Show a conversation with its last messages, a tree by `parent`; what is being written as new as can be.

    `before` asks for older ones.
    """
    found = current_services().snapshots.conversation(path.conversation_id, limit=query.limit, before=query.before)
    return answer_polled(ConversationAnswer.model_validate(found))


@bp.patch("/<conversation_id>", responses={200: ConversationAnswer})
@requires(Role.OPERATOR)
@audited("chat.change")
def change(path: ConversationPath, body: ConversationChange) -> Response:
    """Give a conversation another title, or say which branch of it is read: `leaf` is the last message of that."""
    audit_target(path.conversation_id)
    current_services().chats.change(path.conversation_id, body)
    return answer_with(_conversation(path.conversation_id))


@bp.delete("/<conversation_id>", responses={200: Done})
@requires(Role.OPERATOR)
@audited("chat.delete")
def delete(path: ConversationPath) -> Response:
    """Delete a conversation with its messages, and stop what is being written in it."""
    audit_target(path.conversation_id)
    services = current_services()
    for run_id in services.chats.delete(path.conversation_id):
        # Ended meanwhile: all the better.
        with suppress(IllegalControl, UnknownRun):
            services.runs.stop(run_id, current_actor())
    return answer_with(Done(message=f"conversation {path.conversation_id} was deleted"))


def _conversation(conversation_id: str) -> ConversationAnswer:
    return ConversationAnswer.model_validate(current_services().snapshots.conversation(conversation_id))
