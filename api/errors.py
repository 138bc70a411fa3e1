"""Every error as a problem document (RFC 9457) that also carries `success: false` and `message`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from traceback import format_exception
from typing import Any, TypeVar

from flask import Flask, Response, current_app, json, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from api.refusal import Refusal
from api.services import current_services
from api.validation import faults
from orchestration import errors
from schemas.json import Json, JsonObject

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])

STATUSES: Mapping[type[errors.PerdureError], int] = {
    errors.InvalidWorkflow: 400,
    errors.InvalidSignal: 400,
    errors.InvalidChat: 400,
    errors.TooLarge: 413,
    errors.UnknownRun: 404,
    errors.UnknownStep: 404,
    errors.UnknownAlert: 404,
    errors.UnknownConversation: 404,
    errors.UnknownMessage: 404,
    errors.UnknownBattle: 404,
    errors.IllegalControl: 409,
    errors.RunExists: 409,
    errors.RunActive: 409,
    errors.NotAllowed: 403,
    errors.StoreUnavailable: 503,
    errors.StreamUnavailable: 503,
}
# What is said of servers that are away; where they are goes to the log only.
AWAY: Mapping[type[errors.PerdureError], tuple[str, str]] = {
    errors.StoreUnavailable: (
        "the database cannot be reached just now; it is not known whether a change was made",
        "try again; a start with a workflow_id or an Idempotency-Key is never done twice",
    ),
    errors.StreamUnavailable: (
        "live events cannot be read just now; runs go on",
        "try again, or read the state with GET /workflow/state",
    ),
}
RETRY_AFTER_S = "2"


class Problem(BaseModel):
    """What went wrong, where, and how to mend it."""

    model_config = ConfigDict(title="Problem")
    type: str = Field(description="a URN that names the kind of problem", examples=["urn:perdure:illegal_control"])
    title: str
    status: int
    code: str = Field(description="stable; the last part of `type`")
    detail: str
    where: str | None = Field(None, description="JSON pointer or name of what is wrong")
    mend: str | None = Field(None, description="what to do about it")
    success: bool = False
    message: str = Field(description="the same as `detail`")
    errors: list[dict[str, str]] | None = Field(None, description="all faults of a body or query")
    error_id: str | None = Field(None, description="under this id the exception is in the log")
    line: int | None = Field(None, description="of a text that cannot be read: where, from 1")
    column: int | None = Field(None, description="the place in that line, from 1")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    where: str | None = None,
    mend: str | None = None,
    headers: Mapping[str, str] | None = None,
    **extra: Json,
) -> Response:
    """A problem answer, without secrets. `extra` fields are added as they are."""
    body: JsonObject = {
        "type": f"urn:perdure:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "success": False,
        "message": detail,
    }
    body |= {name: value for name, value in (("where", where), ("mend", mend)) if value is not None}
    clean = current_services().redactor.json(body | _fields_of_view() | extra)
    answer = Response(json.dumps(clean), status, mimetype="application/problem+json")
    answer.headers.update(headers or {})
    return answer


def problem_fields(**fields: Json) -> Callable[[View], View]:
    """Say that a view's problems carry these fields too, such as `active=False, state=None`."""

    def mark(view: View) -> View:
        view.problem_fields = fields  # type: ignore[attr-defined]
        return view

    return mark


def invalid_request(error: ValidationError) -> Response:
    """The answer to a body, query or path that does not fit its model. Says no value that was sent."""
    found = faults(error)
    first = found[0]
    return problem(400, "invalid_request", first["detail"], where=first["where"], mend=first["mend"], errors=found)


def map_errors(app: Flask) -> None:
    """Answer every error as a problem."""
    app.register_error_handler(errors.PerdureError, _domain_error)
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(ValidationError, invalid_request)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, _unexpected)


def _fields_of_view() -> JsonObject:
    view = current_app.view_functions.get(request.endpoint or "")
    return dict(getattr(view, "problem_fields", {}))


def _domain_error(error: errors.PerdureError) -> Response:
    status = STATUSES.get(type(error))
    if status is None:
        return _unexpected(error)
    if type(error) in AWAY:
        log.warning("%s", error.message)
        detail, mend = AWAY[type(error)]
        return problem(status, error.code, detail, mend=mend, headers={"Retry-After": RETRY_AFTER_S})
    return problem(status, error.code, error.message, where=error.where, mend=error.mend)


def _refusal(refusal: Refusal) -> Response:
    return problem(
        refusal.status,
        refusal.code,
        refusal.detail,
        where=refusal.where,
        mend=refusal.mend,
        headers=refusal.headers,
        **refusal.extra,
    )


def http_error(error: HTTPException) -> Response:
    """The answer to an address, method or body that the library refused."""
    if error.response is not None and isinstance(error.response, Response):
        # An answer that was made already: a redirect, or the validation callback's.
        return error.response
    match error:
        case NotFound():
            return problem(404, "not_found", "there is nothing at this address", mend="GET /openapi.json lists them")
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            return problem(
                405,
                "method_not_allowed",
                f"{request.method} is not possible here",
                mend=f"use {allowed}",
                headers={"Allow": allowed},
            )
        case RequestEntityTooLarge():
            limit = current_app.config["MAX_CONTENT_LENGTH"]
            return problem(413, "too_large", f"the body is over {limit} bytes", mend="send less")
    status = error.code or 500
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(error)
    return problem(status, HTTPStatus(status).phrase.lower().replace(" ", "_"), HTTPStatus(status).description)


def _unexpected(error: Exception) -> Response:
    """The exception goes to the log under an id; the answer tells nothing else."""
    error_id = secrets.token_hex(6)
    # The traceback may quote a statement with its values.
    told = current_services().redactor.text("".join(format_exception(error)))
    log.error("error %s in %s %s\n%s", error_id, request.method, request.endpoint, told)
    return problem(
        500,
        "internal_error",
        "something went wrong here; the error was recorded",
        mend=f"tell an administrator the error id {error_id}",
        error_id=error_id,
    )
