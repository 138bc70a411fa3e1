"""`/v1`: OpenAI's interface, so that existing clients work unchanged. See docs/openai-api.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import time

import gevent
from flask import Blueprint, Response, json, request

from api.refusal import Refusal
from api.relay import openai_answers as answers
from api.relay.admission import Member
from api.relay.chat_work import ChatWork
from api.relay.message_feed import MessageFeed, MessageFeeds
from api.relay.message_routes import EVENT_STREAM
from api.relay.openai_plain import complete_plainly
from api.relay.openai_requests import read_completion, read_response
from api.relay.openai_streams import stream_completion, stream_response
from orchestration.errors import InvalidChat, UnknownMessage
from orchestration.models.registry import MOST_NAMED
from schemas.chat import ChatAnswer, ChatContext, ChatRole, MessageStatus, is_model_name
from schemas.json import JsonObject
from schemas.statuses import Role
from schemas.workflow import is_public_id

# How long `cancel` waits until the work is stopped; it is nearly always at once.
CANCEL_S = 5.0
WRITTEN_BY = {"x-should-retry": "false"}


@dataclass(frozen=True)
class OpenAi:
    """What the routes work with."""

    work: ChatWork
    feeds: MessageFeeds

    def completion(self) -> Response:
        """`POST /v1/chat/completions`."""
        member = self.work.enter(Role.OPERATOR)
        with ExitStack() as stack:
            stack.callback(self.work.leave, member)
            asked = read_completion()
            model = name_of(self.work, asked.model)
            self.work.count(member.actor)
            context = asked.context(member.actor.name)
            with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
            if not self.work.settings.server_side_orchestration:
                return complete_plainly(
                    self.work, context, model, stack.pop_all(), stream=bool(asked.stream), with_usage=with_usage
                )
            started, feed = self._start(context, model, member, "chat.complete", stack)
            if asked.stream:
                stream = stream_completion(feed, member, asked.model, with_usage=with_usage)
                return _streamed(stream, stack.pop_all(), started)
            message = _wait_ended(feed)
        if message["status"] == MessageStatus.FAILED:
            status, body = answers.failure_of(message)
            return _answered(body, status, started, WRITTEN_BY)
        return _answered(answers.completion_of(message, asked.model), 200, started)

    def response(self) -> Response:
        """`POST /v1/responses`."""
        self._check_runs()
        member = self.work.enter(Role.OPERATOR)
        with ExitStack() as stack:
            stack.callback(self.work.leave, member)
            wanted = read_response()
            model = name_of(self.work, wanted.model)
            self.work.count(member.actor)
            asked = answers.Asked(
                wanted.model,
                bool(wanted.background),
                wanted.instructions,
                wanted.temperature,
                wanted.top_p,
                wanted.max_output_tokens,
                wanted.metadata,
            )
            context = wanted.context(member.actor.name)
            started, feed = self._start(context, model, member, "chat.respond", stack)
            if wanted.stream:
                return _streamed(stream_response(feed, member, asked, -1), stack.pop_all(), started)
            message = feed.snapshot() if wanted.background else _wait_ended(feed)
        return _answered(answers.response_of(message, asked), 200, started)

    def retrieve(self, response_id: str) -> Response:
        """`GET /v1/responses/{id}`."""
        self._check_runs()
        member = self.work.enter(Role.VIEWER)
        with ExitStack() as stack:
            stack.callback(self.work.leave, member)
            feed = self._feed(response_id, stack)
            if request.args.get("stream", "false").lower() in ("true", "1"):
                after = _number(request.args.get("starting_after"))
                return _streamed(stream_response(feed, member, self._asked(feed), after), stack.pop_all())
            return _answered(answers.response_of(feed.snapshot(), self._asked(feed)), 200)

    def cancel(self, response_id: str) -> Response:
        """`POST /v1/responses/{id}/cancel`. One that has ended is answered as it is."""
        self._check_runs()
        member = self.work.enter(Role.OPERATOR)
        with ExitStack() as stack:
            stack.callback(self.work.leave, member)
            feed = self._feed(response_id, stack)
            if not feed.is_ended:
                self.work.stop(feed.snapshot()["run_id"], member.actor, "chat.cancel")
                with gevent.Timeout(CANCEL_S, False):
                    _wait_ended(feed)
            return _answered(answers.response_of(feed.snapshot(), self._asked(feed)), 200)

    def models(self) -> Response:
        """`GET /v1/models`."""
        self.work.leave(self.work.enter(Role.VIEWER))
        return _answered({"object": "list", "data": list(_models(self.work))}, 200)

    def model(self, name: str) -> Response:
        """`GET /v1/models/{name}`."""
        self.work.leave(self.work.enter(Role.VIEWER))
        found = next((model for model in _models(self.work) if model["id"] == name), None)
        if found is None:
            raise _unknown_model(InvalidChat(f"there is no model {name[:300]!r}", mend="GET /v1/models lists them"))
        return _answered(found, 200)

    def _start(
        self, context: ChatContext, model: str, member: Member, audit: str, stack: ExitStack
    ) -> tuple[ChatAnswer, MessageFeed]:
        started = self.work.complete(context, model, member.actor, audit)
        return started, stack.enter_context(self.feeds.watch(started.id, run_id=started.taskId))

    def _feed(self, response_id: str, stack: ExitStack) -> MessageFeed:
        message_id = "msg_" + response_id.removeprefix("resp_")
        if not response_id.startswith("resp_") or not is_public_id(message_id):
            raise _unknown_response(response_id)
        try:
            feed = stack.enter_context(self.feeds.watch(message_id))
        except UnknownMessage as error:
            raise _unknown_response(response_id) from error
        if feed.snapshot()["role"] != ChatRole.ASSISTANT:
            raise _unknown_response(response_id)
        return feed

    def _asked(self, feed: MessageFeed) -> answers.Asked:
        """What of the request is known from its answer."""
        return answers.Asked(answers.model_of(feed.snapshot(), self.work.models.mixtures))

    def _check_runs(self) -> None:
        if not self.work.settings.server_side_orchestration:
            raise Refusal(
                404,
                "not_kept",
                "responses are kept by runs, which are switched off here (ENABLE_SERVER_SIDE_ORCHESTRATION=false)",
                mend="use /v1/chat/completions",
            )


def openai_blueprint(work: ChatWork, feeds: MessageFeeds) -> Blueprint:
    """The routes."""
    bp = Blueprint("openai", __name__, url_prefix="/v1")
    served = OpenAi(work, feeds)
    routes: tuple[tuple[str, str, Callable[..., Response]], ...] = (
        ("POST", "/chat/completions", served.completion),
        ("POST", "/responses", served.response),
        ("GET", "/responses/<response_id>", served.retrieve),
        ("POST", "/responses/<response_id>/cancel", served.cancel),
        ("GET", "/models", served.models),
        ("GET", "/models/<path:name>", served.model),
    )
    for method, path, view in routes:
        bp.add_url_rule(path, endpoint=view.__name__, view_func=view, methods=[method])
    return bp


def name_of(work: ChatWork, asked: str) -> str:
    """The whole name of a model; its own name alone is enough where only one has it. Raises: Refusal (404)."""
    models = work.models
    is_mixture = asked.startswith(answers.MIXTURE) and asked.removeprefix(answers.MIXTURE) in models.mixtures
    if is_mixture and work.settings.server_side_orchestration:
        return asked
    same = [model.name for model in models.models() if model.name.partition("/")[2] == asked]
    name = same[0] if len(same) == 1 else asked
    try:
        if not is_model_name(name):
            raise InvalidChat(f"no model can have the name {name[:100]!r}", mend="GET /v1/models lists the models")
        models.find(name)
    except InvalidChat as error:
        raise _unknown_model(_no_mixture(work, asked) if asked.startswith(answers.MIXTURE) else error) from error
    return name


def _no_mixture(work: ChatWork, asked: str) -> InvalidChat:
    if not work.settings.server_side_orchestration:
        why = "mixtures are answered by runs, which are switched off here (ENABLE_SERVER_SIDE_ORCHESTRATION=false)"
        return InvalidChat(why, mend="name a model that GET /v1/models lists")
    there = ", ".join(f"{answers.MIXTURE}{name}" for name in sorted(work.models.mixtures)[:MOST_NAMED])
    return InvalidChat(
        f"there is no mixture {asked.removeprefix(answers.MIXTURE)[:100]!r}; there is {there or 'none'}",
        mend="name one that GET /v1/models lists, or add it to PERDURE_MIXTURES",
    )


def _models(work: ChatWork) -> Iterator[JsonObject]:
    names = [(model.name, model.provider) for model in work.models.models()]
    if work.settings.server_side_orchestration:
        names += [(f"{answers.MIXTURE}{name}", "mixture") for name in work.models.mixtures]
    for name, owner in names:
        yield {"id": name, "object": "model", "created": int(time()), "owned_by": owner}


def _wait_ended(feed: MessageFeed) -> JsonObject:
    while not feed.is_ended:
        feed.check_there()
        feed.changed.wait()
    return feed.snapshot()


def _streamed(stream: Iterator[str], open_until_end: ExitStack, started: ChatAnswer | None = None) -> Response:
    response = Response(stream, mimetype="text/event-stream", headers=EVENT_STREAM | _named(started))
    response.call_on_close(open_until_end.close)
    return response


def _answered(
    body: JsonObject, status: int, started: ChatAnswer | None = None, headers: dict[str, str] | None = None
) -> Response:
    text = json.dumps(body, ensure_ascii=False, sort_keys=False)
    return Response(text, status, mimetype="application/json", headers=_named(started) | (headers or {}))


def _named(started: ChatAnswer | None) -> dict[str, str]:
    """By which a chat completion is found again, and stopped."""
    return {} if started is None else {"X-Message-Id": started.id, "X-Workflow-Id": started.taskId}


def _number(text: str | None) -> int:
    if not text:
        return -1
    if not text.isdecimal() or len(text) > 18:
        raise Refusal(
            400,
            "invalid_request",
            "this is not a sequence number",
            where="/starting_after",
            mend="send the sequence_number of the last event",
        )
    return int(text)


def _unknown_response(response_id: str) -> Refusal:
    return Refusal(
        404, "not_found", f"there is no response {response_id[:100]!r}", where="/response_id", mend="check the id"
    )


def _unknown_model(error: InvalidChat) -> Refusal:
    return Refusal(404, "model_not_found", error.message, where="/model", mend=error.mend)
