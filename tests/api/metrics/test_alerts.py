"""`/api/orchestration/alerts`: seen by everybody, acknowledged and resolved by operators, all of it recorded."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel
from werkzeug.test import TestResponse

from api.app import create_app
from api.services import Services, build_services
from orchestration.core.alert_rules import Reading
from orchestration.core.alert_states import weigh
from orchestration.engine.alerts import Alerts
from schemas.alerts import RULES, numbers_of
from schemas.answers.alerts import AlertAnswer, AlertRulesAnswer, AlertsAnswer
from settings import Settings, SettingsInvalid, load_settings

Model = TypeVar("Model", bound=BaseModel)
ALERTS = "/api/orchestration/alerts"
NUMBERS = {rule: numbers_of(rule, {}) for rule in RULES}


def read(model: type[Model], answer: TestResponse, status: int = 200) -> Model:
    """An answer, held against what is said of it."""
    assert answer.status_code == status, answer.text
    return model.model_validate_json(answer.data, extra="forbid", strict=True)


def see(services: Services, rule: str = "breaker_open", value: float = 1.0, *subjects: str) -> None:
    """As the janitor sees it."""
    alerts = Alerts(services.database, services.runs.events)
    board = alerts.board()
    readings = [Reading(subject, value, f"{subject} opened", {"state": "open"}) for subject in subjects]
    alerts.make(weigh({rule: readings}, NUMBERS, board.known, board.now_s), NUMBERS)


def test_without_alerts_the_list_is_empty(viewer: FlaskClient) -> None:
    found = read(AlertsAnswer, viewer.get(ALERTS))
    assert (found.alerts, found.next, found.open, found.critical, found.unacknowledged) == ([], None, 0, 0, 0)


def test_alerts_are_listed_open_ones_first_page_by_page(
    viewer: FlaskClient, operator: FlaskClient, services: Services
) -> None:
    see(services, "breaker_open", 1.0, "a", "b", "c")
    ids = [alert.id for alert in read(AlertsAnswer, viewer.get(ALERTS)).alerts]
    read(AlertAnswer, operator.post(f"{ALERTS}/{ids[0]}/resolve", json={}))
    first = read(AlertsAnswer, viewer.get(f"{ALERTS}?limit=2"))
    assert ([alert.id for alert in first.alerts], first.open) == (ids[1:], 2)
    second = read(AlertsAnswer, viewer.get(ALERTS, query_string={"limit": 2, "cursor": first.next}))
    assert [(alert.id, alert.status) for alert in second.alerts] == [(ids[0], "resolved")]
    assert second.next is None
    only = read(AlertsAnswer, viewer.get(f"{ALERTS}?status=resolved"))
    assert [alert.id for alert in only.alerts] == [ids[0]]


def test_a_page_that_is_known_is_not_sent_again(viewer: FlaskClient, services: Services) -> None:
    see(services, "breaker_open", 1.0, "a")
    answer = viewer.get(ALERTS)
    tag = answer.headers["ETag"]
    assert viewer.get(ALERTS, headers={"If-None-Match": tag}).status_code == 304
    see(services, "breaker_open", 1.0, "a", "b")
    assert viewer.get(ALERTS, headers={"If-None-Match": tag}).status_code == 200


def test_an_alert_is_acknowledged_and_resolved_once_and_that_is_recorded(
    admin: FlaskClient, operator: FlaskClient, viewer: FlaskClient, services: Services
) -> None:
    see(services, "breaker_open", 1.0, "openai")
    alert_id = read(AlertsAnswer, viewer.get(ALERTS)).alerts[0].id
    seen = read(AlertAnswer, operator.post(f"{ALERTS}/{alert_id}/acknowledge", json={"note": "on it"})).alert
    assert (seen.acknowledged_by, seen.acknowledge_note, seen.status) == ("operator", "on it", "open")
    again = read(AlertAnswer, admin.post(f"{ALERTS}/{alert_id}/acknowledge", json={})).alert
    assert again.acknowledged_by == "operator"
    assert read(AlertsAnswer, viewer.get(ALERTS)).unacknowledged == 0
    over = read(AlertAnswer, operator.post(f"{ALERTS}/{alert_id}/resolve", json={"note": "known"})).alert
    assert (over.status, over.resolved_by, over.resolve_note) == ("resolved", "operator", "known")
    assert [change.change for change in over.changes] == ["opened", "acknowledged", "resolved"]
    assert read(AlertAnswer, viewer.get(f"{ALERTS}/{alert_id}")).alert == over
    refused = operator.post(f"{ALERTS}/{alert_id}/acknowledge", json={})
    assert (refused.status_code, (refused.json or {})["code"]) == (409, "illegal_control")
    records = (admin.get("/audit").json or {})["records"]
    assert [(r["action"], r["target"], r["outcome"]) for r in records if r["action"].startswith("alert")][::-1] == [
        ("alert.acknowledge", str(alert_id), "done"), ("alert.acknowledge", str(alert_id), "done"),
        ("alert.resolve", str(alert_id), "done"), ("alert.acknowledge", str(alert_id), "refused"),
    ]  # fmt: skip


def test_times_are_milliseconds_and_the_unit_says_so(viewer: FlaskClient, services: Services) -> None:
    see(services, "lock_wait", 700.0, "file:/x")
    shown = read(AlertsAnswer, viewer.get(ALERTS)).alerts[0]
    assert (shown.value, shown.peak, shown.threshold, shown.unit) == (700_000, 700_000, 600_000, "ms")
    detail = read(AlertAnswer, viewer.get(f"{ALERTS}/{shown.id}")).alert
    assert detail.changes[0].value == 700_000
    rules = {rule.name: rule for rule in read(AlertRulesAnswer, viewer.get(f"{ALERTS}/rules")).rules}
    assert (rules["lock_wait"].threshold, rules["lock_wait"].unit) == (600_000, "ms")
    assert list(rules) == list(RULES)


@pytest.mark.parametrize("path", ["/99", "/99/acknowledge", "/99/resolve"])
def test_an_alert_that_is_not_there(operator: FlaskClient, path: str) -> None:
    answer = operator.get(ALERTS + path) if path == "/99" else operator.post(ALERTS + path, json={})
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "unknown_alert")


@pytest.mark.parametrize("cursor", ["x", "open-", "open-1x", "pending-1"])
def test_a_cursor_that_is_none_is_refused(viewer: FlaskClient, cursor: str) -> None:
    answer = viewer.get(ALERTS, query_string={"cursor": cursor})
    assert (answer.status_code, (answer.json or {})["where"]) == (400, "cursor")


def test_what_is_not_yet_an_alert_is_not_shown(viewer: FlaskClient, services: Services) -> None:
    see(services, "queue_length", 5000, "ssh")
    assert read(AlertsAnswer, viewer.get(ALERTS)).alerts == []
    number = services.database.call("SELECT id FROM alerts WHERE status = 'pending'")
    assert viewer.get(f"{ALERTS}/{number}").status_code == 404


class TestSettings:
    """What the settings change."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        channels: dict[str, Any] = {"ops": {"type": "webhook", "url": "https://hooks.example.org/T1/secret"}}
        alerts = {"queue_length": {"threshold": 5, "enabled": False}}
        return settings.model_copy(update={"alerts": alerts, "alert_channels": channels})

    @pytest.fixture
    def app(self, settings: Settings) -> Flask:
        return create_app(build_services(settings))

    def test_rules_and_channels_are_shown_without_addresses(self, viewer: FlaskClient) -> None:
        answer = viewer.get(f"{ALERTS}/rules")
        found = read(AlertRulesAnswer, answer)
        rules = {rule.name: rule for rule in found.rules}
        assert (rules["queue_length"].threshold, rules["queue_length"].enabled) == (5, False)
        assert [(channel.name, channel.type, channel.least) for channel in found.channels] == [
            ("ops", "webhook", "warning")
        ]
        assert "hooks.example.org" not in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"alerts": {"nonsense": {}}}, {"alerts": {"queue_length": {"threshold": -1}}},
        {"alert_channels": {"ops": {"type": "pager"}}}, {"alert_channels": {"OPS": {}}},
    ],
)  # fmt: skip
def test_settings_that_may_not_be_keep_a_process_from_starting(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid):
        load_settings(attach=False, **wrong)


def test_settings_come_from_the_environment_and_from_yaml(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "perdure.yaml"
    file.write_text(
        "alerts: {queue_length: {threshold: 7}}\nalert_channels: {ops: {type: webhook, url: 'http://x/y'}}\n"
    )
    settings = load_settings(attach=False, config=file)
    assert numbers_of("queue_length", settings.alerts).threshold == 7
    assert list(settings.alert_channels) == ["ops"]
    monkeypatch.setenv("PERDURE_ALERTS", '{"queue_length": {"threshold": 9}}')
    assert numbers_of("queue_length", load_settings(attach=False, config=file).alerts).threshold == 9
