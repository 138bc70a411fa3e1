"""Errors as problem documents (RFC 9457) with `success: false` and `message`, over HTTP and over Socket.IO."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response, json, request
from werkzeug.exceptions import HTTPException

from api.refusal import Refusal
from orchestration import errors
from orchestration.errors import PerdureError, StoreUnavailable, StreamUnavailable
from schemas.json import JsonObject

log = logging.getLogger(__name__)

STATUSES: Mapping[type[PerdureError], int] = {
    errors.UnknownRun: 404,
    errors.UnknownMessage: 404,
    errors.TooLarge: 413,
    errors.NotAllowed: 403,
    errors.IllegalControl: 409,
    errors.RunExists: 409,
    errors.RunActive: 409,
}


def problem_of(error: Exception) -> JsonObject:
    """The problem document of an error; what nobody foresaw is logged under an id."""
    match error:
        case Refusal():
            return _problem(error.status, error.code, error.detail, where=error.where, mend=error.mend)
        case StoreUnavailable() | StreamUnavailable():
            return _problem(503, error.code, "this cannot be read just now", mend="try again in a few seconds")
        case PerdureError():
            return _problem(
                STATUSES.get(type(error), 400), error.code, error.message, where=error.where, mend=error.mend
            )
        case HTTPException() if error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
            phrase = HTTPStatus(error.code).phrase
            mend = "the relay answers what docs/live-channel.md and /v1 list; all else is at the web address"
            return _problem(error.code, phrase.lower().replace(" ", "_"), phrase, mend=mend)
    error_id = secrets.token_hex(6)
    log.error("error %s", error_id, exc_info=error)
    mend = f"tell an administrator the error id {error_id}"
    return _problem(500, "internal_error", "something went wrong here; the error was recorded", mend=mend)


def map_errors(app: Flask) -> None:
    """Answer every error as a problem."""

    def answer(error: Exception) -> Response:
        body = problem_of(error)
        if request.path == "/workflow/state":  # old clients read these two whatever the answer
            body |= {"active": False, "state": None}
        response = Response(json.dumps(body), body["status"], mimetype="application/problem+json")
        if isinstance(error, Refusal):
            response.headers.update(error.headers)
        elif response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = "2"
        return response

    app.register_error_handler(Exception, answer)


def unknown_run(run_id: str) -> Refusal:
    """The refusal for a run that does not exist."""
    return Refusal(
        404, "unknown_run", f"there is no run {run_id!r}", where="/workflow_id", mend="GET /workflow/runs lists them"
    )


def _problem(status: int, code: str, detail: str, *, where: str | None = None, mend: str | None = None) -> JsonObject:
    body: JsonObject = {
        "type": f"urn:perdure:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "success": False,
        "message": detail,
    }
    return body | {name: value for name, value in (("where", where), ("mend", mend)) if value is not None}
