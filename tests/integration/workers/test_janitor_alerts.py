"""A janitor looks for what is wrong beside its sweeps, over the servers it has, and tells of it by runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.servers import EmbeddedValkey
from messaging.breakers import ValkeyBreakers
from orchestration.engine.alerts import Alerts
from orchestration.gates.breaker import BreakerState
from settings import Settings
from tests.support.engine import Harness
from workers import janitor as janitor_module
from workers.janitor import Janitor

OPS = {"ops": {"type": "webhook", "url": "https://hooks.example.org/x"}}


def watching(engine: Harness, settings: Settings) -> Janitor:
    """A janitor that looks with each sweep, and trusts what it sees."""
    janitor = Janitor(settings)
    janitor._trust_absence_at = 0.0
    return janitor


def look(janitor: Janitor) -> None:
    janitor._looked_at -= janitor_module.LOOK_EVERY_S
    janitor.sweep_once()


def test_a_breaker_that_opens_in_valkey_is_an_alert_and_a_run(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path, alert_channels=OPS)
    janitor = watching(engine, settings)
    ValkeyBreakers(redis_url).force("openai", BreakerState.OPEN)
    look(janitor)
    look(janitor)
    (alert,) = Alerts(engine.database, engine.recorder).page().alerts
    assert (alert["rule"], alert["subject"], alert["details"]["forced"]) == ("breaker_open", "openai", True)
    (run,) = engine.database.rows("SELECT public_id, status FROM runs")
    assert run[0] == f"alert-{alert['id']}-1"
    steps = engine.database.rows("SELECT key, action, queue, status FROM steps")
    assert steps == [("ops", "alert.webhook", "http", "ready")]


def test_work_goes_on_while_valkey_is_away_and_alerts_cannot_be_made(
    engine: Harness, database_url: str, private_valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    settings = Settings(
        database_url=database_url, redis_url=private_valkey.url, data_dir=tmp_path,
        alerts={"valkey_away": {"for_s": 0}},
    )  # fmt: skip
    janitor = watching(engine, settings)
    look(janitor)
    private_valkey.kill()
    look(janitor)
    assert [alert["rule"] for alert in Alerts(engine.database, engine.recorder).page().alerts] == ["valkey_away"]
    janitor._alerts.look = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    run = engine.start({"key": "a", "delay_s": 0.05})
    engine.database.call("SELECT pg_sleep(0.1)")
    look(janitor)
    assert engine.statuses(run) == {"a": "ready"}


def test_counting_that_fails_keeps_no_alert_no_export_and_no_step_from_its_turn(
    engine: Harness, database_url: str, redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(database_url=database_url, redis_url=redis_url, data_dir=tmp_path, alert_channels=OPS)
    janitor = watching(engine, settings)
    ValkeyBreakers(redis_url).force("openai", BreakerState.OPEN)
    written: list[bool] = []
    janitor._metrics.fold = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    janitor._exports.write = lambda: written.append(True)  # type: ignore[method-assign]
    with caplog.at_level("ERROR", logger="perdure.janitor"):
        look(janitor)
        look(janitor)
    assert [alert["rule"] for alert in Alerts(engine.database, engine.recorder).page().alerts] == ["breaker_open"]
    assert len(written) == 2
    assert [record.part for record in caplog.records] == ["counts"], "not tried again at each sweep"
    janitor.sweep.lines = lambda: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    engine.start({"key": "a", "delay_s": 0.05})
    engine.database.call("SELECT pg_sleep(0.1)")
    assert janitor.sweep_once() >= janitor._interval / 2, "what fails is not tried without a pause"
