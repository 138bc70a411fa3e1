"""The use cases of chatting: say something, ask again, change and delete conversations."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence

from orchestration.chat.exchanges import Exchanges, answer_of, new_id, rows_of
from orchestration.chat.filters import check_filters, passed_filters
from orchestration.chat.ground import instructions_of, said_before, said_up_to
from orchestration.chat.plans import Plan, plan_answer, plan_battle, plan_mixture
from orchestration.core.storable import storable, storable_text
from orchestration.engine.starts import Starts
from orchestration.errors import IllegalControl, InvalidChat, UnknownConversation, UnknownMessage
from orchestration.ports import Actor, EventSink
from orchestration.store.database import Database, as_jsonb
from schemas.chat import (
    ChatAnswer,
    ChatContext,
    ChatModel,
    ChatRequest,
    ChatRole,
    ContextMessage,
    ConversationChange,
    ConversationSettings,
    Mixture,
    ModelParameters,
    RegenerateRequest,
)
from schemas.json import JsonObject

TITLE_LENGTH = 80
# As much as all that a model is told.
SETTINGS_BYTES = 256 * 1024
CheckModel = Callable[[str], None]


class Chats:
    """Chatting, on one database. `check_model` raises InvalidChat for a model that no provider offers.

    `events`: whoever watches is told at once that a mixture is at work.
    """

    def __init__(
        self,
        database: Database,
        starts: Starts,
        events: EventSink,
        *,
        check_model: CheckModel,
        mixtures: Mapping[str, Mixture],
        default_model: str,
        filters: Sequence[str] = (),
    ) -> None:
        self.database = database
        self.exchanges = Exchanges(database, starts, events)
        self.check_model = check_model
        self.mixtures = mixtures
        self.default_model = default_model
        self.filters = filters

    def say(self, asked: ChatRequest, actor: Actor) -> ChatAnswer:
        """Accept a message and start what answers it. Asked again with the same ids, it answers what it answered first.

        Raises: InvalidChat, UnknownMessage (the parent), RunExists (the message's id was used for another), NotAllowed,
        TooLarge.
        """
        text = _checked_text(asked.message.text)
        said = said_before(self.database, asked)
        instructions = instructions_of(asked.system, said.messages)
        settings = _storable(asked.settings) or said.settings
        said_now = ContextMessage(role=ChatRole.USER, content=text)
        context = ChatContext(
            messages=settings.instruct((*instructions, *said.messages, said_now)),
            parameters=settings.below(asked.parameters),
            filters=passed_filters(self.filters, asked.filters),
            user=actor.name,
        )
        title = title_of(text)
        # In an order of its own: who asked must not know which answer is whose.
        contenders = tuple(secrets.SystemRandom().sample(asked.battle, len(asked.battle))) if asked.battle else None
        plan = self._plan(asked.chatModel, asked.mixture, contenders, context, title)
        sent = asked.message.id
        question = sent or new_id("msg")
        rows: list[JsonObject] = []
        parent = said.parent
        if instructions and parent is None:
            # Kept at the root, so that it holds for all that follows.
            parent = new_id("msg")
            rows.append({"id": parent, "part": "message", "role": "system", "text": instructions[0].content})
        rows.append({"id": question, "parent": parent, "part": "message", "role": "user", "text": text})
        answers, written, battle = rows_of(plan, question, battle=contenders is not None)
        conversation: JsonObject = {"id": asked.id, "title": title}
        if asked.settings is not None:
            conversation["settings"] = _kept(settings)
        document: JsonObject = {"conversation": conversation, "messages": rows + written}
        if battle is not None:
            document["battle"] = {"id": battle, "models": contenders, "messages": answers}
        # Not the whole context: what is said elsewhere in between makes the same request no other.
        body = [asked.id, text, asked.model_dump(mode="json", exclude={"message"})]
        started = self.exchanges.start(plan, actor, document, key=f"chat:{sent}" if sent else None, body=body)
        if not started.created:
            return self.exchanges.answered(started.run_id, asked.id, question)
        return answer_of(started.run_id, asked.id, question, answers, battle)

    def regenerate(self, message_id: str, asked: RegenerateRequest, actor: Actor) -> ChatAnswer:
        """Write another answer beside one that is there, by the settings of the conversation as they are now.

        Raises: UnknownMessage, InvalidChat, TooLarge.
        """
        old = self.database.call("SELECT read_message(%s)", message_id)
        if old is None or old["part"] != "message":
            raise UnknownMessage(f"there is no message {message_id!r}", where="/message")
        if old["role"] != ChatRole.ASSISTANT or old["parent"] is None:
            raise IllegalControl("only an answer can be written again", mend="name a message of the role assistant")
        if old["battle"] is not None and old["model"] is None and asked.chatModel is None and asked.mixture is None:
            raise IllegalControl(
                "which model wrote this is hidden until somebody has voted", mend="vote first, or name a chatModel"
            )
        before = self.database.call(
            "SELECT d.params || jsonb_build_object('chat', d.workflow #> '{metadata,chat}') "
            "FROM runs r JOIN run_documents d ON d.run_id = r.id WHERE r.public_id = %s",
            old["run_id"],
        )
        ground = said_up_to(self.database, old["conversation_id"], old["parent"])
        branch, settings = ground.messages, ground.settings
        kept = ChatContext.model_validate(before["request"]) if before else None
        said = any(m.role is ChatRole.SYSTEM for m in branch)
        system = next((m for m in kept.messages if m.role is ChatRole.SYSTEM), None) if kept and not said else None
        before_now = kept.parameters if kept else ModelParameters()
        context = ChatContext(
            messages=settings.instruct((*((system,) if system else ()), *branch)),
            parameters=asked.parameters or settings.parameters or before_now,
            filters=kept.filters if kept else (),
            user=actor.name,
        )
        mixture = asked.mixture
        if asked.chatModel is None and mixture is None and before and before["chat"]:
            mixture = Mixture.model_validate(before["chat"]["mixture"])
        model = asked.chatModel or (None if mixture or old["model"] is None else _as_model(old["model"]))
        plan = self._plan(model, mixture, None, context, title_of(branch[-1].content))
        answers, written, _ = rows_of(plan, old["parent"], battle=False)
        conversation = {"id": old["conversation_id"], "title": plan.workflow.name} if old["conversation_id"] else None
        started = self.exchanges.start(
            plan, actor, {"conversation": conversation, "messages": written}, key=None, body=None
        )
        return answer_of(started.run_id, old["conversation_id"] or "", old["parent"], answers, None)

    def complete(self, context: ChatContext, model: str, actor: Actor, *, mixture: Mixture | None = None) -> ChatAnswer:
        """Answer messages that belong to no conversation, as programs ask.

        Raises: InvalidChat, TooLarge, NotAllowed.
        """
        last = next((m.content for m in reversed(context.messages) if m.role is ChatRole.USER), "")
        context = context.model_copy(update={"filters": passed_filters(self.filters, context.filters)})
        plan = self._plan(_as_model(model), mixture, None, context, title_of(last))
        answers, written, _ = rows_of(plan, None, battle=False)
        started = self.exchanges.start(plan, actor, {"conversation": None, "messages": written}, key=None, body=None)
        return answer_of(started.run_id, "", "", answers, None)

    def change(self, conversation: str, asked: ConversationChange) -> None:
        """Rename a conversation, read another branch of it, or have its answers written by other settings.

        Raises: UnknownConversation, UnknownMessage, TooLarge.
        """
        settings = _storable(asked.settings)
        kept = as_jsonb(_kept(settings)) if settings is not None else None
        done = self.database.call(
            "SELECT change_conversation(%s, %s, %s, %s)", conversation, asked.title, asked.leaf, kept
        )
        if done is None:
            raise _no_conversation(conversation)
        if not done:
            raise UnknownMessage(
                f"the conversation has no message {asked.leaf!r}", where="/leaf", mend="name one of its messages"
            )

    def delete(self, conversation: str) -> list[str]:
        """Delete a conversation with its messages; answers the runs that were writing in it, which are to be stopped.

        Raises: UnknownConversation.
        """
        runs: list[str] | None = self.database.call("SELECT delete_conversation(%s)", conversation)
        if runs is None:
            raise _no_conversation(conversation)
        return runs

    def _plan(
        self,
        model: ChatModel | None,
        mixture: Mixture | None,
        battle: tuple[str, ...] | None,
        context: ChatContext,
        title: str,
    ) -> Plan:
        name = model.name if model is not None else self.default_model
        if mixture is None and battle is None and name.startswith("mixture/"):
            mixture = self.mixtures.get(name.partition("/")[2])
            if mixture is None:
                raise InvalidChat(
                    f"there is no mixture {name.partition('/')[2]!r}",
                    where="/chatModel/model",
                    mend=f"name one of: {', '.join(sorted(self.mixtures)) or 'none is set (PERDURE_MIXTURES)'}",
                )
        asked = battle or ((*mixture.proposers, mixture.aggregator) if mixture else (name,))
        for one in asked:
            self.check_model(one)
        check_filters(context.filters)
        if battle is not None:
            return plan_battle(context, battle, title)
        if mixture is not None:
            return plan_mixture(context, mixture, title)
        return plan_answer(context, name, title)


def _no_conversation(conversation: str) -> UnknownConversation:
    return UnknownConversation(
        f"there is no conversation {conversation!r}", where="/conversation_id", mend="GET /api/chat/conversations"
    )


def title_of(text: str) -> str:
    """A title from the first words of a text."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def _checked_text(text: str) -> str:
    if not text.strip():
        raise InvalidChat("the message is empty", where="/message/parts", mend="say something")
    return storable_text(text, len(text))


def _storable(settings: ConversationSettings | None) -> ConversationSettings | None:
    if settings is None:
        return None
    return ConversationSettings.model_validate(storable(_kept(settings), max_bytes=SETTINGS_BYTES))


def _kept(settings: ConversationSettings) -> JsonObject:
    return settings.model_dump(mode="json", exclude_unset=True)


def _as_model(name: str) -> ChatModel:
    provider, _, model = name.partition("/")
    return ChatModel(provider=provider, model=model)
