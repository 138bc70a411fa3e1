"""Chat without runs (ENABLE_SERVER_SIDE_ORCHESTRATION=false): an answer is handed on from its provider as it comes.

Nothing is kept: it ends with the connection, belongs to no conversation and is read by nobody else. Each one holds a
thread of the web process while it lasts, so only a few are let in.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Response

from api.refusal import Refusal
from api.services import current_services
from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.chat.exchanges import new_id
from orchestration.chat.filters import FilterChain, passed_filters
from orchestration.chat.plain import ReadSecrets, stream_filtered
from orchestration.chat.reading_ahead import BEAT_S, FIRST_S, ReadAhead
from orchestration.errors import InvalidChat
from orchestration.models.port import Delta
from orchestration.ports import Actor
from orchestration.secrets import SecretStore
from schemas.chat import ChatContext, ChatRequest, ChatRole, ContextMessage, ConversationSettings
from schemas.json import Json

log = logging.getLogger("perdure.chat")

# Half of the threads that gunicorn is started with.
MOST_AT_ONCE = 8
RETRY_AFTER_S = 2
BEAT = ": still here\n\n"

_free = threading.BoundedSemaphore(MOST_AT_ONCE)


def stream_plainly(asked: ChatRequest, actor: Actor) -> Response:
    """The answer of one model to this message alone, as server-sent events: `start`, `delta` and `done`, or `error`.

    Raises: InvalidChat; Refusal (503) when too many are being read or the provider is away, (502) when it refuses.
    """
    services = current_services()
    if asked.mixture is not None or asked.battle is not None:
        raise InvalidChat(
            "mixtures and battles need runs, which are switched off here",
            where="/mixture" if asked.mixture is not None else "/battle",
            mend="name a chatModel, or set ENABLE_SERVER_SIDE_ORCHESTRATION=true",
        )
    name = asked.chatModel.name if asked.chatModel is not None else services.models.default
    secrets = ReadSecrets(SecretStore(services.settings.secrets_dir, os.environ))
    model, own_name = services.models.find(name, secrets)
    names = passed_filters(services.settings.chat_filters, asked.filters)
    with _refusing():
        filters = FilterChain.of(names, services.settings.filter_options, log.warning)
    settings = asked.settings or ConversationSettings()
    context = ChatContext(
        messages=settings.instruct(_messages(asked)),
        parameters=settings.below(asked.parameters),
        filters=names,
        user=actor.name,
    )
    if not _free.acquire(blocking=False):
        raise Refusal(
            503,
            "busy",
            f"{MOST_AT_ONCE} answers are being streamed by this process",
            mend="try again when one has ended",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    with ExitStack() as stack:
        stack.callback(_free.release)
        ahead = ReadAhead(
            lambda on_close: stream_filtered(model, own_name, context, filters, on_close, secrets.redactor)
        )
        stack.callback(ahead.close)
        # A provider that refuses at once is a problem with a status. No longer: who left is known by writing alone.
        with _refusing():
            ahead.wait_first(FIRST_S)
        answer = Response(_events(new_id("msg"), name, ahead.pieces(BEAT_S)), mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(stack.pop_all().close)
    return answer


@contextmanager
def _refusing() -> Iterator[None]:
    """Before the answer begins, a failure is a Refusal."""
    try:
        yield
    except Retryable as error:
        headers = {"Retry-After": str(max(1, round(error.after)))} if error.after else {}
        raise Refusal(503, error.code, error.reason, mend="try again", headers=headers) from error
    except Permanent as error:
        raise Refusal(502, error.code, error.reason, mend="ask another model") from error


def _messages(asked: ChatRequest) -> tuple[ContextMessage, ...]:
    said = (ContextMessage(role=ChatRole.USER, content=asked.message.text),)
    return (ContextMessage(role=ChatRole.SYSTEM, content=asked.system), *said) if asked.system else said


def _events(message_id: str, model: str, pieces: Iterator[Delta | None]) -> Iterator[str]:
    shown: dict[str, Json] = {"id": message_id, "role": "assistant", "model": model, "orchestrated": False}
    yield _event("start", shown)
    text: list[str] = []
    length, ending = 0, Delta()
    try:
        for delta in pieces:
            if delta is None:
                yield BEAT
                continue
            if delta.text:
                yield _event("delta", {"offset": length, "text": delta.text})
                text.append(delta.text)
                length += len(delta.text)
            if delta.finish_reason is not None or delta.usage is not None:
                ending = delta
    except (Retryable, Permanent) as error:
        yield _event("error", {"code": error.code, "message": error.reason})
        return
    except ActionCancelled:
        return
    usage = ending.usage.model_dump() if ending.usage is not None else None
    done: dict[str, Json] = {"content": "".join(text), "finish_reason": ending.finish_reason, "usage": usage}
    yield _event("done", shown | done)


def _event(name: str, data: dict[str, Json]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
