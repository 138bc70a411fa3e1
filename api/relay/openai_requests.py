"""What clients of OpenAI's interface ask, and what of it is understood here.

A field that only tunes how an answer is carried is ignored where it is not known; one that would make it another answer
is refused, since to ignore it would be to answer another question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.refusal import Refusal
from api.validation import faults
from orchestration.core.storable import storable_text
from schemas.chat import MAX_CONTEXT_MESSAGES, ChatContext, ChatRole, ContextMessage, ModelParameters
from schemas.json import JsonObject

M = TypeVar("M", bound=BaseModel)

ROLES = {
    "developer": ChatRole.SYSTEM,
    "system": ChatRole.SYSTEM,
    "user": ChatRole.USER,
    "assistant": ChatRole.ASSISTANT,
}
TEXTS = frozenset({"text", "input_text", "output_text"})


def _is_unset(value: Any) -> bool:
    return value in (None, False, 0) or value == [] or value == {}


def _is_plain_choice(value: Any) -> bool:
    return value in (None, "none", "auto")


def _is_text_format(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and value.get("type") == "text")


_NO_TOOLS: Mapping[str, Callable[[Any], bool]] = {
    "tools": _is_unset,
    "tool_choice": _is_plain_choice,
    "top_logprobs": _is_unset,
}
# What must be unset, or say what happens anyway.
REFUSED_IN_COMPLETIONS: Mapping[str, Callable[[Any], bool]] = {
    **_NO_TOOLS,
    "functions": _is_unset,
    "function_call": _is_plain_choice,
    "n": lambda value: value in (None, 1),
    "response_format": _is_text_format,
    "logprobs": _is_unset,
    "logit_bias": _is_unset,
    "audio": _is_unset,
    "modalities": lambda value: value in (None, ["text"]),
    "web_search_options": _is_unset,
}
REFUSED_IN_RESPONSES: Mapping[str, Callable[[Any], bool]] = {
    **_NO_TOOLS,
    "previous_response_id": _is_unset,
    "conversation": _is_unset,
    "prompt": _is_unset,
    "text": lambda value: value is None or (isinstance(value, dict) and _is_text_format(value.get("format"))),
}


class Part(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    type: str
    text: str | None = None


class Said(BaseModel):
    """A message as clients send it."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    type: Literal["message"] = "message"
    role: str
    content: str | tuple[Part, ...] | None = None


class StreamOptions(BaseModel):
    """How a stream of chunks ends."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    include_usage: bool | None = None


Stops = Annotated[str, Field(min_length=1)] | tuple[str, ...] | None


class CompletionRequest(BaseModel):
    """`POST /v1/chat/completions`."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    model: str
    messages: tuple[Said, ...] = Field(min_length=1, max_length=MAX_CONTEXT_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: Stops = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def context(self, user: str) -> ChatContext:
        """What the model is told. Raises: Refusal."""
        most = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        wanted = self.model_dump(
            include={"temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"}, exclude_none=True
        )
        parameters = _valid(ModelParameters, wanted | {"max_tokens": most, "stop": stop}, "")
        return ChatContext(messages=_messages(self.messages, "/messages"), parameters=parameters, user=user)


class ResponseRequest(BaseModel):
    """`POST /v1/responses`."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    model: str
    input: Annotated[str, Field(min_length=1)] | tuple[Said, ...]
    instructions: str | None = None
    background: bool | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str] | None = None

    def context(self, user: str) -> ChatContext:
        """What the model is told. Raises: Refusal."""
        said = (Said(role="user", content=self.input),) if isinstance(self.input, str) else self.input
        if self.instructions:
            said = (Said(role="system", content=self.instructions), *said)
        wanted = self.model_dump(include={"temperature", "top_p"}, exclude_none=True)
        parameters = _valid(ModelParameters, wanted | {"max_tokens": self.max_output_tokens}, "")
        return ChatContext(messages=_messages(said, "/input"), parameters=parameters, user=user)


def read_completion() -> CompletionRequest:
    """The body of this request. Raises: Refusal."""
    return _valid(CompletionRequest, _body(REFUSED_IN_COMPLETIONS))


def read_response() -> ResponseRequest:
    """The body of this request. Raises: Refusal."""
    body = _body(REFUSED_IN_RESPONSES)
    for place, item in enumerate(body["input"]) if isinstance(body.get("input"), list) else ():
        if isinstance(item, dict) and item.get("type", "message") != "message":
            raise unsupported(f"/input/{place}", f"items of the type {str(item.get('type'))[:40]!r}")
    return _valid(ResponseRequest, body)


def unsupported(where: str, what: str) -> Refusal:
    """The refusal of what would make it another answer."""
    return Refusal(400, "unsupported", f"{what} cannot be asked for here", where=where, mend="leave it out")


def _body(refused: Mapping[str, Callable[[Any], bool]]) -> JsonObject:
    body = request.get_json()
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "the body is not an object", mend="send a JSON object")
    for name, is_harmless in refused.items():
        if not is_harmless(body.get(name)):
            raise unsupported(f"/{name}", f"{name!r}" if name != "n" else "more than one answer")
    return body


def _valid(model: type[M], body: Mapping[str, Any], where: str = "") -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = faults(error)[0]
        raise Refusal(
            400, "invalid_request", first["detail"], where=where + first["where"], mend=first["mend"]
        ) from error


def _messages(said: tuple[Said, ...], where: str) -> tuple[ContextMessage, ...]:
    if not said:
        raise Refusal(400, "invalid_request", "there is no message", where=where, mend="say something")
    return tuple(_message(one, f"{where}/{place}") for place, one in enumerate(said))


def _message(said: Said, where: str) -> ContextMessage:
    role = ROLES.get(said.role)
    if role is None:
        raise unsupported(f"{where}/role", f"messages of the role {said.role[:40]!r}")
    if isinstance(said.content, str):
        text = said.content
    else:
        for place, part in enumerate(said.content or ()):
            if part.type not in TEXTS or part.text is None:
                raise unsupported(f"{where}/content/{place}", f"parts of the type {part.type[:40]!r}")
        text = "\n".join(part.text or "" for part in said.content or ())
    return ContextMessage(role=role, content=storable_text(text, len(text)))
