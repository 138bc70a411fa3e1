"""What is answered in the shapes of OpenAI's interface, made of messages as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from api.relay.message_text import Edition
from api.relay.problems import error_body
from schemas.chat import MessageStatus, Mixture
from schemas.json import JsonObject
from schemas.statuses import StepStatus

# The numbers of a response's events: 0 to 3 for what comes first, one for each character of the text, then its end.
# The text of another attempt, or one begun anew, has numbers of its own above; no text is longer than fits between.
OPENING = 3
EDITION_SIZE = 1 << 18
EDITIONS = 64

# An error of a provider, as what it would be of OpenAI's.
_FAILED = {"model.rate_limited": HTTPStatus.TOO_MANY_REQUESTS, "model.unknown": HTTPStatus.NOT_FOUND}
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}
# How the names of mixtures begin among those of models.
MIXTURE = "mixture/"
REPLACED = "text_replaced"
REPLACED_WORDS = "the text was replaced by another one, since its first writer was lost; read it again"


@dataclass(frozen=True)
class Asked:
    """What of a request is told again in its answers."""

    model: str | None = None
    background: bool = True
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str] | None = None


def model_of(message: JsonObject, mixtures: Mapping[str, Mixture]) -> str | None:
    """Who answers, as it can be asked for again: the mixture with these agents as it is set now, else the model."""
    agents = [one["model"] for one in message.get("proposals") or ()]
    for name, mixture in mixtures.items() if agents else ():
        if message["model"] == mixture.aggregator and agents == [*mixture.proposers] * mixture.layers:
            return f"{MIXTURE}{name}"
    found: str | None = message["model"]
    return found


def failure_of(message: JsonObject) -> tuple[int, JsonObject]:
    """The status and body for an answer that failed for good."""
    error = message["error"] or {}
    code = str(error.get("code") or "failed")
    status = _FAILED.get(code, HTTPStatus.BAD_GATEWAY)
    return status, error_body(status, str(error.get("message") or "the answer failed"), code)


def first_number(edition: Edition) -> int:
    """The number that counts before the numbers of this edition's text."""
    attempt, begun_anew = edition
    return (max(attempt - 1, 0) * EDITIONS + min(begun_anew, EDITIONS - 1)) * EDITION_SIZE


def number_at(edition: Edition, length: int) -> int:
    """The number of a delta that ends with so many characters."""
    return first_number(edition) + OPENING + length


def seconds_of(moment: str | datetime) -> int:
    """A time in seconds since 1970."""
    return int(datetime.fromisoformat(str(moment)).timestamp())


def completion_id(message_id: str) -> str:
    """The id of a chat completion."""
    return "chatcmpl-" + message_id.removeprefix("msg_")


def usage_of(message: JsonObject) -> JsonObject:
    """Tokens, as chat completions name them."""
    usage = message["usage"] or {}
    prompt, answer = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def completion_of(message: JsonObject, model: str) -> JsonObject:
    """An answer that has ended, as a chat completion."""
    said = {"role": "assistant", "content": message["text"], "refusal": None}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason(message)}
    return {
        "id": completion_id(message["id"]),
        "object": "chat.completion",
        "created": seconds_of(message["created_at"]),
        "model": model,
        "choices": [choice],
        "usage": usage_of(message),
    }


def finish_reason(message: JsonObject) -> str:
    """Why an answer ended; one that a person stopped has simply stopped."""
    found = message["finish_reason"]
    return found if found in ("length", "content_filter") else "stop"


def chunk_of(message_id: str, created: int, model: str, delta: JsonObject, finish: str | None = None) -> JsonObject:
    """A piece of a chat completion."""
    return {
        "id": completion_id(message_id),
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def response_id(message_id: str) -> str:
    """The id of a response."""
    return "resp_" + message_id.removeprefix("msg_")


def response_of(message: JsonObject, asked: Asked = Asked()) -> JsonObject:
    """A message as a response."""
    status = status_of(message)
    is_there = status not in ("queued", "in_progress") or bool(message["text"])
    error = message["error"] or {}
    failed = {"code": str(error.get("code") or "server_error"), "message": str(error.get("message") or "it failed")}
    cut = _CUT.get(message["finish_reason"] or "")
    return {
        "id": response_id(message["id"]),
        "object": "response",
        "created_at": seconds_of(message["created_at"]),
        "completed_at": seconds_of(message["ended_at"]) if status == "completed" else None,
        "status": status,
        "background": asked.background,
        "error": failed if status == "failed" else None,
        "incomplete_details": {"reason": cut} if status == "incomplete" else None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "model": asked.model or message["model"] or "",
        "output": [item_of(message)] if is_there else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": asked.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked.top_p,
        "truncation": "disabled",
        "usage": _response_usage(message) if message["usage"] else None,
    }


def item_of(message: JsonObject, *, is_open: bool = False) -> JsonObject:
    """The one thing that a response puts out: the message. `is_open`: as it begins."""
    status = status_of(message)
    shown = "in_progress" if is_open or status in ("queued", "in_progress") else "incomplete"
    return {
        "id": message["id"],
        "type": "message",
        "role": "assistant",
        "status": "completed" if status == "completed" and not is_open else shown,
        "content": [] if is_open else [part_of(message["text"])],
    }


def part_of(text: str) -> JsonObject:
    """The text as a part of the message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def status_of(message: JsonObject) -> str:
    """A response's word for where its message stands."""
    match message["status"]:
        case MessageStatus.WRITING:
            step: dict[str, Any] = message["step"] or {}
            is_begun = step.get("status") not in (StepStatus.PENDING, StepStatus.READY)
            return "in_progress" if is_begun else "queued"
        case MessageStatus.COMPLETED:
            return "incomplete" if message["finish_reason"] in _CUT else "completed"
        case MessageStatus.STOPPED:
            return "cancelled"
    return "failed"


def _response_usage(message: JsonObject) -> JsonObject:
    counted = usage_of(message)
    return {
        "input_tokens": counted["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": counted["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counted["total_tokens"],
    }
