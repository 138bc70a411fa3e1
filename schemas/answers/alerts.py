"""What `/api/orchestration/alerts` answers: camelCase, times in milliseconds, as schemas/answers/metrics.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from schemas.alerts import Severity
from schemas.answers.metrics import CamelAnswer, CamelPart

AlertUnit = Literal["share", "count", "ms", "yes"]


class AlertShown(CamelPart):
    """An alert. `value` as it was last seen, `peak` the highest; in the `unit` of the rule, as the threshold.

    `details` may name more: `workflowId` and `step`, `heldBy`, `state`, `failed` and `ended`.
    """

    id: int
    rule: str
    subject: str
    severity: Severity
    status: Literal["open", "resolved"]
    value: float
    peak: float
    threshold: float
    unit: AlertUnit
    message: str
    details: dict[str, Any]
    since: datetime = Field(description="since when it holds")
    opened_at: datetime
    seen_at: datetime = Field(description="when it was last looked at")
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledge_note: str | None
    resolved_at: datetime | None
    resolved_by: str | None = Field(description="null: it was over by itself")
    resolve_note: str | None


class AlertsAnswer(CamelAnswer):
    """A page of alerts, open ones first, then by number, newest first; `next` is the `cursor` of the one after.

    `open`, `critical` and `unacknowledged` count the open ones, up to 1,000.
    """

    alerts: list[AlertShown]
    next: str | None
    open: int
    critical: int
    unacknowledged: int


class AlertChangeShown(CamelPart):
    """What became of an alert. `workflowId` names the run that told the channels, where one did."""

    number: int
    change: Literal["opened", "acknowledged", "resolved"]
    at: datetime
    value: float
    message: str
    actor: str | None
    note: str | None
    workflow_id: str | None


class AlertWithChanges(AlertShown):
    """An alert and its first hundred changes."""

    changes: list[AlertChangeShown]


class AlertAnswer(CamelAnswer):
    """One alert."""

    alert: AlertWithChanges


class AlertRuleShown(CamelPart):
    """A rule with the numbers that hold. `windowMs` matters only to rules that count over a time."""

    name: str
    about: str
    subject: str
    severity: Severity
    unit: AlertUnit
    enabled: bool
    threshold: float
    window_ms: float
    for_ms: float
    clear_ms: float
    minimum: int


class AlertChannelShown(CamelPart):
    """Who is told."""

    name: str
    type: Literal["webhook", "email"]
    least: Severity


class AlertRulesAnswer(CamelAnswer):
    """The rules, and the channels by name; addresses are not shown."""

    rules: list[AlertRuleShown]
    channels: list[AlertChannelShown]
