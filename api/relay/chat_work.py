"""Starts and stops answers for programs that ask the relay, with the rights and limits of the web process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import gevent
from flask import request

from api.auth.identity import bearer_token
from api.limits import Limiter
from api.refusal import Refusal
from api.relay.access import Access
from api.relay.admission import Member
from api.relay.native import NativeThreads, NativeWrites
from api.relay.problems import problem_of
from api.security import check_origin
from api.sending import BackgroundDispatcher
from api.services import make_chats
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.stream import EventStream
from orchestration.actions.registry import load_actions
from orchestration.engine.runs import Runs
from orchestration.errors import IllegalControl
from orchestration.models.registry import ModelRegistry
from orchestration.ports import Actor, ReadyStep
from orchestration.store.accounts import add_audit
from schemas.chat import ChatAnswer, ChatContext
from schemas.events import Event
from schemas.statuses import Role
from settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

# They share nothing with those that read: a commit waits for the disk.
WRITING_THREADS = 4


@dataclass
class _Outgoing:
    """Takes what the engine sends from a native thread, to be sent by the greenlet that asked."""

    steps: list[ReadyStep] = field(default_factory=list)
    events: list[tuple[str, Sequence[Event], bool]] = field(default_factory=list)

    def send(self, steps: Sequence[ReadyStep]) -> None:
        self.steps += steps

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        self.events.append((run_id, events, final))


class ChatWork:
    """The use cases, called from greenlets. Opens nothing until the first call."""

    def __init__(self, settings: Settings, access: Access, models: ModelRegistry) -> None:
        self.settings = settings
        self.models = models
        self._access = access
        self._limiter = Limiter(settings.redis_url, {"chat": settings.chat_rate_limit})
        self._threads = NativeThreads(WRITING_THREADS)
        self._database = NativeWrites(settings.database_url, name="perdure-relay")
        self._actions = load_actions(settings.actions)
        self._dispatcher = BackgroundDispatcher(CeleryDispatcher(make_celery(settings.broker_url)))
        self._events = EventStream(settings.redis_url, name="perdure-relay-events")

    def enter(self, role: Role) -> Member:
        """Let the request at hand in, for which its caller needs a role; `leave` must follow. Raises: Refusal."""
        member = self._access.enter()
        try:
            if bearer_token(request.headers.get("Authorization")) is None:
                check_origin(self.settings)
            if not member.actor.role.includes(role):
                raise Refusal(
                    403,
                    "not_allowed",
                    f"this needs the role {role}; you are {member.actor.name}, {member.actor.role}",
                    mend=f"use a token with the role {role}",
                )
        except BaseException:
            self._access.leave(member)
            raise
        return member

    def leave(self, member: Member) -> None:
        """The request is answered, or its connection closed."""
        self._access.leave(member)

    def count(self, actor: Actor) -> None:
        """Count a request for an answer. Raises: Refusal (429)."""
        self._limiter.hit("chat", actor.name)

    def complete(self, context: ChatContext, model: str, actor: Actor, audit: str) -> ChatAnswer:
        """Start what answers, and return at once. Raises: InvalidChat, TooLarge, NotAllowed; StoreUnavailable."""
        actor = replace(actor, address=request.remote_addr or "")

        def use(runs: Runs, out: _Outgoing) -> ChatAnswer:
            chats = make_chats(self._database, runs, out, self.models, self.settings.chat_filters)
            return chats.complete(context, model, actor)

        return self._audited(use, actor, audit, lambda answer: answer.taskId)

    def stop(self, run_id: str, actor: Actor, audit: str) -> None:
        """Stop the run of an answer; one that has ended stays as it is. Raises: UnknownRun; StoreUnavailable."""
        actor = replace(actor, address=request.remote_addr or "")

        def use(runs: Runs, _out: _Outgoing) -> str:
            try:
                runs.stop(run_id, actor)
            except IllegalControl as error:
                log.debug("nothing to stop: %s", error)
            return run_id

        self._audited(use, actor, audit, lambda target: target)

    def _audited(
        self, use: Callable[[Runs, _Outgoing], T], actor: Actor, action: str, target_of: Callable[[T], str]
    ) -> T:
        out = _Outgoing()
        runs = Runs(self._database, out, out, self._actions, resend_s=self.settings.resend_s)
        try:
            done = self._threads.run(use, runs, out)
        except Exception as error:
            problem = problem_of(error)
            outcome = "refused" if problem["status"] < 500 else "failed"
            self._record(actor, action, "", outcome, {"status": problem["status"], "code": problem["code"]})
            raise
        finally:
            self._dispatcher.send(out.steps)
            for run_id, events, final in out.events:
                self._events.publish(run_id, events, final=final)
        # Nobody waits for it: another commit would come before the first token.
        gevent.spawn(self._record, actor, action, target_of(done), "done", {"status": 200})
        return done

    def _record(self, actor: Actor, action: str, target: str, outcome: str, detail: dict[str, object]) -> None:
        def record() -> None:
            add_audit(self._database, actor, action=action, target=target, outcome=outcome, detail=detail)

        try:
            self._threads.run(record)
        except Exception as error:  # the change was made, and its answer must not turn into an error
            log.error("the audit record of %s by %s was lost: %s", action, actor.name, type(error).__name__)
