"""The audit record: one entry for each control action, whatever came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request

from api.refusal import Refusal
from api.services import current_services
from orchestration.engine.starts import AuditNote
from orchestration.ports import Actor
from orchestration.store.accounts import AuditEntry, add_audit, add_audits
from schemas.json import Json, JsonObject

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])
MAX_TARGET = 200


def audited(action: str) -> Callable[[View], View]:
    """Say that calls of a view are recorded as `action`, such as "workflow.start".

    The target is the `workflow_id` of the answer, the body or the query, unless the view names another one by
    `audit_target`. Calls of nobody (401) and over the limit (429) are not recorded: they would fill the table.
    """

    def mark(view: View) -> View:
        view.audit_action = action  # type: ignore[attr-defined]
        return view

    return mark


def audit_target(target: str) -> None:
    """Name what this request acts on."""
    g.audit_target = target


def audit_actor(actor: Actor) -> None:
    """Name who acts, where it is known only now: at sign-in."""
    g.actor = actor


def audit_note(action: str, **detail: Json) -> AuditNote:
    """A record that is committed with the change itself; `audit_done` says that it was."""
    return AuditNote(action, {"status": 200, **detail})


def audit_done() -> None:
    """Say that this request's record is there already."""
    g.audit_done = True


def record_each(action: str, entries: Sequence[AuditEntry]) -> None:
    """Record what was done to many targets, an entry each, in place of one record of this request."""
    actor: Actor = g.actor
    services = current_services()
    g.audit_done = True
    try:
        add_audits(services.database, actor, action=action, entries=entries)
    except Exception as error:  # as in `_record`
        log.error("%d audit records of %s by %s were lost: %s", len(entries), action, actor.name, type(error).__name__)


def record_audit(app: Flask) -> None:
    """Record what is marked, once its answer is known."""
    app.after_request(_record)


def _record(answer: Response) -> Response:
    action = getattr(current_app.view_functions.get(request.endpoint or ""), "audit_action", None)
    actor: Actor | None = g.get("actor")
    if action is None or actor is None or answer.status_code == 429 or "audit_done" in g:
        return answer
    document = answer.get_json(silent=True) if answer.is_json else None
    body: JsonObject = document if isinstance(document, dict) else {}
    detail = {"status": answer.status_code, "code": body.get("code"), "error_id": body.get("error_id")}
    services = current_services()
    try:
        add_audit(
            services.database,
            actor,
            action=action,
            target=services.redactor.text(g.get("audit_target") or _workflow_id(body))[:MAX_TARGET],
            outcome=_outcome(answer.status_code),
            detail={name: value for name, value in detail.items() if value is not None},
        )
    except Exception as error:  # the change was made, and is in the trace; its answer must not turn into an error
        log.error("the audit record of %s by %s was lost: %s", action, actor.name, type(error).__name__)
    return answer


def _outcome(status: int) -> str:
    if status < 400:
        return "done"
    return "refused" if status < 500 else "failed"


def _workflow_id(answer: JsonObject) -> str:
    try:
        body = request.get_json() if request.method != "GET" else {}
    except Refusal:
        body = {}
    sent = body.get("workflow_id") if isinstance(body, dict) else None
    found = answer.get("workflow_id") or sent or request.args.get("workflow_id") or ""
    return found.replace("\0", "") if isinstance(found, str) else ""
