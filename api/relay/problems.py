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
OPENAI_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


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
        if request.path.startswith("/v1/"):
            return _with_headers(openai_error(body), error)
        if request.path == "/workflow/state":  # old clients read these two whatever the answer
            body |= {"active": False, "state": None}
        return _with_headers(Response(json.dumps(body), body["status"], mimetype="application/problem+json"), error)

    app.register_error_handler(Exception, answer)


def openai_error(problem: JsonObject) -> Response:
    """A problem in the shape that clients of `/v1` know."""
    said = problem["detail"] + (f"; {problem['mend']}" if problem.get("mend") else "")
    where = str(problem.get("where") or "").strip("/").replace("/", ".") or None
    body = error_body(problem["status"], said, problem["code"], where)
    return Response(json.dumps(body), problem["status"], mimetype="application/json")


def error_body(status: int, message: str, code: str, param: str | None = None) -> JsonObject:
    """An error as OpenAI's interface says it."""
    kind = OPENAI_KINDS.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _with_headers(response: Response, error: Exception) -> Response:
    if isinstance(error, Refusal):
        response.headers.update(error.headers)
    elif response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "2"
    return response


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
