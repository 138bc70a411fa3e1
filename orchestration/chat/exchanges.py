"""Exchanges: what is said and what is to be written, inserted with the run that answers, together or not at all."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import psycopg2

from orchestration.chat.plans import Plan
from orchestration.engine.planning import fingerprint
from orchestration.engine.starts import Companion, Refused, StartedRun, Starts
from orchestration.errors import RunExists, TooLarge, UnknownMessage
from orchestration.ports import Actor, EventSink
from orchestration.store.database import Database
from schemas.chat import ChatAnswer
from schemas.events import NoticeEvent
from schemas.json import JsonObject

AGENT_MIXING = "agent_mixing"


class Exchanges:
    """Starts exchanges on one database. `events`: whoever watches is told at once that a mixture is at work."""

    def __init__(self, database: Database, starts: Starts, events: EventSink) -> None:
        self.database = database
        self.starts = starts
        self.events = events

    def start(
        self, plan: Plan, actor: Actor, document: JsonObject, *, key: str | None, body: Sequence[object] | None
    ) -> StartedRun:
        """Start the run of a plan, with the rows of `document` (see `start_chat`); whoever watches is told of agents.

        `key` makes it happen once, for the same `body`. Raises: TooLarge, UnknownMessage, RunExists, NotAllowed.
        """
        try:
            planned = self.starts.plan(
                plan.workflow, actor, body={"chat": fingerprint(list(body))} if body is not None else None
            )
        except TooLarge as error:
            raise TooLarge(
                f"the conversation up to here is more than a model can be told at once: {error.message}",
                where="/message",
                mend="say less, follow an earlier message as its parent, or begin a new conversation",
            ) from error
        try:
            started = self.starts.start(
                [planned], actor, idempotency_key=key, companion=Companion("start_chat", document)
            )[0]
        except Refused as refused:
            raise UnknownMessage(
                f"the conversation has no message {refused.answer.get('parent')!r}",
                where="/parent",
                mend="read the conversation, and name one of its messages",
            ) from refused
        except (psycopg2.IntegrityError, RunExists) as error:
            raise RunExists(
                "a message with this id is there already", where="/message/id", mend="use a new id for a new message"
            ) from error
        if started.created:
            self._tell_of_mixture(started.run_id, plan)
        return started

    def _tell_of_mixture(self, run_id: str, plan: Plan) -> None:
        agents = sum(one.is_proposal for one in plan.writes)
        if agents:
            message = f"{agents} agent{'' if agents == 1 else 's'} will be asked"
            self.events.publish(run_id, [NoticeEvent(notice=AGENT_MIXING, message=message)])

    def answered(self, run_id: str, conversation: str, question: str) -> ChatAnswer:
        """What an earlier request with the same ids was answered. Raises: RunExists when that is gone."""
        rows = self.database.rows(
            "SELECT public_id, battle FROM messages "
            "WHERE public_run = %s AND part = 'message' AND role = 'assistant' ORDER BY id",
            run_id,
        )
        if not rows:
            raise RunExists(
                "a message with this id was said in a conversation that was deleted",
                where="/message/id",
                mend="use a new id for a new message",
            )
        return answer_of(run_id, conversation, question, [row[0] for row in rows], rows[0][1])


def new_id(kind: str) -> str:
    """An id that nobody has, which sorts by time: `msg_1763700000000_9f3c...`."""
    return f"{kind}_{time.time_ns() // 1_000_000}_{secrets.token_hex(8)}"


def rows_of(plan: Plan, parent: str | None, *, battle: bool) -> tuple[list[str], list[JsonObject], str | None]:
    """Ids of the answers, rows of all that is written, and the battle's id if it is one."""
    battle_id = new_id("battle") if battle else None
    rows: list[JsonObject] = []
    answers: list[str] = []
    for one in plan.writes:
        own = new_id("msg")
        if not one.is_proposal:
            answers.append(own)
        rows.append(
            {
                "id": own,
                "parent": answers[0] if one.is_proposal else parent,
                "part": "proposal" if one.is_proposal else "message",
                "role": "assistant",
                "model": one.model,
                "position": one.position,
                "battle": battle_id,
            }
        )
    return answers, rows, battle_id


def answer_of(run_id: str, conversation: str, question: str, answers: list[str], battle: str | None) -> ChatAnswer:
    """What who asked is told."""
    return ChatAnswer(
        id=answers[0] if answers else "",
        taskId=run_id,
        conversation_id=conversation,
        message_id=question,
        answers=tuple(answers),
        battle=battle,
    )
