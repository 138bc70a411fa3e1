"""Alerts: what is wrong just now and what was, seen by everybody, acknowledged and resolved by operators."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.blueprints.metrics import answer_with
from api.refusal import Refusal
from api.services import current_services
from orchestration.engine.alerts import MAX_PAGE, Alerts
from schemas.alerts import RULES, numbers_of, read_channels
from schemas.answers.alerts import AlertAnswer, AlertRulesAnswer, AlertsAnswer
from schemas.json import JsonObject
from schemas.statuses import Role

bp = APIBlueprint("alerts", __name__, url_prefix="/api/orchestration/alerts", abp_tags=[Tag(name="Alerts")])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AlertsQuery(_Strict):
    """Which page of the alerts."""

    status: Literal["open", "resolved"] | None = Field(None, description="unset: both")
    cursor: str | None = Field(None, max_length=40)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class AlertPath(BaseModel):
    """Which alert."""

    alert_id: int = Field(ge=1, le=2**62)


class NoteBody(_Strict):
    """What others should know."""

    note: str | None = Field(None, max_length=500)


@bp.get("", responses={200: AlertsAnswer})
@requires(Role.VIEWER)
def alerts(query: AlertsQuery) -> Response:
    """List alerts, open ones first, with an ETag; 304 for a page that is known."""
    try:
        page = _alerts().page(status=query.status, cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise Refusal(400, "invalid_request", str(error), where="cursor", mend="leave it out") from error
    answer = answer_with(
        AlertsAnswer, {"alerts": [_shown(alert) for alert in page.alerts], "next": page.following} | page.counts
    )
    answer.set_etag(sha256(answer.get_data()).hexdigest()[:32], weak=True)
    answer.make_conditional(request)
    return answer


@bp.get("/rules", responses={200: AlertRulesAnswer})
@requires(Role.VIEWER)
def rules() -> Response:
    """Show the rules with the numbers that hold, and who is told."""
    settings = current_services().settings
    found = []
    for name, rule in RULES.items():
        numbers = numbers_of(name, settings.alerts)
        factor = 1000 if rule.unit == "seconds" else 1
        found.append(
            {
                "name": name,
                "about": rule.about,
                "subject": rule.subject,
                "severity": rule.severity,
                "unit": _unit(name),
                "enabled": numbers.enabled,
                "threshold": numbers.threshold * factor,
                "window_ms": numbers.window_s * 1000,
                "for_ms": numbers.for_s * 1000,
                "clear_ms": numbers.clear_s * 1000,
                "minimum": numbers.minimum,
            }
        )
    channels = [
        {"name": name, "type": channel.type, "least": channel.least}
        for name, channel in read_channels(settings.alert_channels).items()
    ]
    return answer_with(AlertRulesAnswer, {"rules": found, "channels": channels})


@bp.get("/<int:alert_id>", responses={200: AlertAnswer})
@requires(Role.VIEWER)
def one(path: AlertPath) -> Response:
    """Show an alert with what became of it."""
    return _answer(_alerts().one(path.alert_id))


@bp.post("/<int:alert_id>/acknowledge", responses={200: AlertAnswer})
@requires(Role.OPERATOR)
@audited("alert.acknowledge")
def acknowledge(path: AlertPath, body: NoteBody) -> Response:
    """Say that somebody has seen an alert; once more changes nothing. 409 when it is over."""
    audit_target(str(path.alert_id))
    return _answer(_alerts().acknowledge(path.alert_id, by=current_actor().name, note=body.note))


@bp.post("/<int:alert_id>/resolve", responses={200: AlertAnswer})
@requires(Role.OPERATOR)
@audited("alert.resolve")
def resolve(path: AlertPath, body: NoteBody) -> Response:
    """Take an alert for over. While what it is about goes on it does not come back, for a day at most."""
    audit_target(str(path.alert_id))
    return _answer(_alerts().resolve(path.alert_id, by=current_actor().name, note=body.note))


def _alerts() -> Alerts:
    services = current_services()
    return Alerts(services.database, services.runs.events)


def _answer(alert: JsonObject) -> Response:
    return answer_with(AlertAnswer, {"alert": _shown(alert)})


def _shown(alert: JsonObject) -> JsonObject:
    """An alert in the units of this interface."""
    unit = _unit(alert["rule"])
    factor = 1000 if unit == "ms" else 1
    values = {name: alert[name] * factor for name in ("value", "peak", "threshold")}
    if "changes" in alert:
        values["changes"] = [change | {"value": change["value"] * factor} for change in alert["changes"]]
    return alert | values | {"unit": unit}


def _unit(rule: str) -> str:
    """Of its values, as they are shown; `count` for a rule of another release."""
    unit = RULES[rule].unit if rule in RULES else "count"
    return "ms" if unit == "seconds" else unit
