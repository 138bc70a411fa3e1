"""`alert.webhook` and `alert.email`: tell of an alert by a channel of the settings."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.actions.registry import action
from schemas.alerts import ChannelName, EmailChannel, Severity, WebhookChannel, read_channels
from schemas.flow import BreakerSpec, FlowSpec
from schemas.json import JsonObject
from schemas.retry import RetryPolicy
from schemas.statuses import Role

TIMEOUT_S = 30.0
# For three hours or so; after that it is history, which the page shows.
RETRY = RetryPolicy(max_attempts=25, base_delay_s=2, max_delay_s=600, budget_s=10_800)
_WORTH_A_RETRY = frozenset({408, 425, 429})

Kind = TypeVar("Kind", WebhookChannel, EmailChannel)


class AlertNews(ActionParams):
    """What is told: an alert, and what became of it. `number` counts its changes."""

    id: int = Field(ge=1)
    number: int = Field(ge=1)
    change: Literal["opened", "resolved"]
    at: str = Field(max_length=40)
    rule: str = Field(max_length=100)
    subject: str = Field(max_length=300)
    severity: Severity
    value: float
    threshold: float
    message: str = Field(max_length=1000)
    opened_at: str = Field(max_length=40)
    actor: str | None = Field(None, max_length=200, description="who resolved it by hand")
    note: str | None = Field(None, max_length=1000)


class TellParams(ActionParams):
    """By which channel what is told."""

    channel: ChannelName
    alert: AlertNews


def _flow(params: TellParams, _host: object) -> FlowSpec:
    """A breaker for each channel: what does not answer is not asked for each alert anew."""
    return FlowSpec(breaker=BreakerSpec(name=f"alert:{params.channel}", recovery_s=30))


@action("alert.webhook", queue="http", idempotent=True, role=Role.ADMIN, timeout_s=120, retry=RETRY, flow=_flow)
def webhook(ctx: ActionContext, params: TellParams) -> dict[str, Any]:
    """Post an alert as JSON, signed with the channel's secret."""
    # Here, not above: the web process reads declarations and needs no HTTP client for it.
    from orchestration.actions.http import HttpParams, retry_after_s, shown
    from orchestration.actions.http_exchange import exchange

    channel = _channel(ctx, params.channel, WebhookChannel)
    body = webhook_body(params.alert)
    headers = {"Content-Type": "application/json", "Idempotency-Key": delivery_id(params.alert)}
    if channel.secret is not None:
        secret = ctx.secret(channel.secret, host=urlsplit(channel.url).hostname)
        headers |= signature(secret, body, int(time.time()))
    request: JsonObject = {"method": "POST", "url": channel.url, "headers": headers, "body": body}
    try:
        answer = exchange(ctx, HttpParams.model_validate(request | {"timeout_s": TIMEOUT_S, "follow_redirects": False}))
    except (Retryable, Permanent) as error:
        # The address is often a secret in itself, and errors are seen by everybody who may look.
        error.reason = error.reason.replace(shown(channel.url), f"the webhook {params.channel}")
        error.args = (error.reason,)
        raise
    status = answer["status"]
    if status < 300:
        return {"status": status}
    reason = f"the webhook {params.channel} answered {status}"
    if status in _WORTH_A_RETRY or status >= 500:
        raise Retryable(reason, after=retry_after_s(answer["headers"]), code=f"http.{status}")
    raise Permanent(reason, code=f"http.{status}")


@action("alert.email", queue="http", idempotent=True, role=Role.ADMIN, timeout_s=120, retry=RETRY, flow=_flow)
def email(ctx: ActionContext, params: TellParams) -> dict[str, Any]:
    """Send an alert by mail."""
    from orchestration.actions.alert_mail import send

    return send(ctx, _channel(ctx, params.channel, EmailChannel), params.alert)


def webhook_body(alert: AlertNews) -> str:
    """What is posted: JSON in the names of the HTTP interface."""
    shown = {
        "id": alert.id,
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity,
        "value": alert.value,
        "threshold": alert.threshold,
        "message": alert.message,
        "openedAt": alert.opened_at,
    }
    return json.dumps(
        {
            "delivery": delivery_id(alert),
            "change": alert.change,
            "at": alert.at,
            "by": alert.actor,
            "note": alert.note,
            "alert": shown,
        }
    )


def delivery_id(alert: AlertNews) -> str:
    """The same for all attempts at telling of one change."""
    return f"alert-{alert.id}-{alert.number}"


def signature(secret: str, body: str, timestamp: int) -> dict[str, str]:
    """The headers that show who sent a body, and when (seconds since 1970). `docs/alerts.md` says how to check them."""
    digest = hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Perdure-Timestamp": str(timestamp), "X-Perdure-Signature": f"v1={digest}"}


def _channel(ctx: ActionContext, name: str, kind: type[Kind]) -> Kind:
    """The channel of the settings. Raises: Permanent when it is there no more, or of another type."""
    channel = read_channels(ctx.settings.get("alert_channels") or {}).get(name)
    if not isinstance(channel, kind):
        raise Permanent(f"the settings have no such channel {name!r}", code="alert.no_channel")
    return channel
