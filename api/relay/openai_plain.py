"""Chat completions without runs (ENABLE_SERVER_SIDE_ORCHESTRATION=false): handed on from the provider as they come."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from time import time

from flask import Response

from api.refusal import Refusal
from api.relay.chat_work import ChatWork
from api.relay.message_routes import EVENT_STREAM
from api.relay.openai_answers import chunk_of, completion_of, finish_reason, usage_of
from api.relay.openai_streams import BEAT, DONE
from api.relay.problems import error_body
from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.chat.exchanges import new_id
from orchestration.chat.filters import FilterChain, passed_filters
from orchestration.chat.plain import ReadSecrets, stream_filtered
from orchestration.chat.reading_ahead import BEAT_S, FIRST_S, ReadAhead
from orchestration.models.port import Delta
from orchestration.secrets import SecretStore
from schemas.chat import ChatContext
from schemas.json import JsonObject

log = logging.getLogger("perdure.chat")


def complete_plainly(
    work: ChatWork, context: ChatContext, model: str, open_until_end: ExitStack, *, stream: bool, with_usage: bool
) -> Response:
    """The answer of one model; nothing is kept, and it ends with the connection. Raises: Refusal."""
    with ExitStack() as stack:
        stack.enter_context(open_until_end)
        secrets = ReadSecrets(SecretStore(work.settings.secrets_dir, os.environ))
        provider, own_name = work.models.find(model, secrets)
        names = passed_filters(work.settings.chat_filters, context.filters)
        with _refusing():
            filters = FilterChain.of(names, work.settings.filter_options, log.warning)
        ahead = ReadAhead(
            lambda on_close: stream_filtered(provider, own_name, context, filters, on_close, secrets.redactor)
        )
        stack.callback(ahead.close)
        answer_id = new_id("msg")
        # A provider that refuses at once is an error with a status. No longer: who left is known by writing alone.
        with _refusing():
            if not stream:
                return _whole([delta for delta in ahead.pieces(BEAT_S) if delta is not None], answer_id, model)
            ahead.wait_first(FIRST_S)
        response = Response(
            _chunks(ahead.pieces(BEAT_S), answer_id, model, with_usage),
            mimetype="text/event-stream",
            headers=EVENT_STREAM,
        )
        response.call_on_close(stack.pop_all().close)
        return response


@contextmanager
def _refusing() -> Iterator[None]:
    """Before the answer begins, a failure is a Refusal."""
    try:
        yield
    except Retryable as error:
        raise Refusal(429 if error.code == "model.rate_limited" else 503, error.code, error.reason) from error
    except Permanent as error:
        raise Refusal(502, error.code, error.reason) from error


def _whole(found: list[Delta], answer_id: str, model: str) -> Response:
    message = _message(found) | {"id": answer_id, "text": "".join(delta.text for delta in found)}
    body = completion_of(message | {"created_at": _now()}, model)
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")


def _chunks(pieces: Iterator[Delta | None], answer_id: str, model: str, with_usage: bool) -> Iterator[str]:
    said = (answer_id, int(time()), model)
    yield _data(chunk_of(*said, {"role": "assistant", "content": ""}))
    endings: list[Delta] = []
    try:
        for delta in pieces:
            if delta is None:
                yield BEAT
                continue
            if delta.text:
                yield _data(chunk_of(*said, {"content": delta.text}))
            if delta.finish_reason is not None or delta.usage is not None:
                endings.append(delta)
    except (Retryable, Permanent) as error:
        yield _data(error_body(502, error.reason, error.code))
        return
    except ActionCancelled:
        return
    message = _message(endings)
    yield _data(chunk_of(*said, {}, finish_reason(message)))
    if with_usage:
        yield _data(chunk_of(*said, {}) | {"choices": [], "usage": usage_of(message)})
    yield DONE


def _message(deltas: list[Delta]) -> JsonObject:
    """How an answer ended, as a stored message says it."""
    finish = next((delta.finish_reason for delta in reversed(deltas) if delta.finish_reason is not None), None)
    usage = next((delta.usage for delta in reversed(deltas) if delta.usage is not None), None)
    return {"finish_reason": finish, "usage": usage.model_dump() if usage is not None else None}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _data(document: JsonObject) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n"
