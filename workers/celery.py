"""The root of a worker process: `celery -A workers worker --pool threads -Q default,ssh -c 16`."""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery, signals

from logs import configure_logs
from messaging.celery_app import make_celery
from orchestration.actions.registry import load_actions
from orchestration.engine.hosts import Hosts
from orchestration.store.database import Database
from settings import Settings, SettingsInvalid, load_settings
from tracing import make_tracing
from workers.gather_events import GatherEvents
from workers.hearing import Listener, hearing_step
from workers.janitor import janitor_step
from workers.lifecycle import Lifecycle
from workers.load import load_step
from workers.tasks import register_actions


def make_worker(settings: Settings) -> Celery:
    """A Celery app with a task for each action, the keeper and the janitor."""
    app = make_celery(settings.redis_url)

    # The first comes before Celery warns of what it is run as, the second once it has read its command line.
    @signals.celeryd_init.connect(weak=False)
    @signals.setup_logging.connect(weak=False)
    def _logs(loglevel: int | str | None = None, **_: Any) -> None:
        level = logging.getLevelName(loglevel) if isinstance(loglevel, int) else settings.log_level
        configure_logs(level, settings.log_format, secrets=settings.own_secrets())

    tracing = make_tracing(settings.otel_endpoint, "worker", sample=settings.otel_sample, is_global=True)
    lifecycle = Lifecycle(settings, tracing)
    register_actions(app, load_actions(settings.actions), lifecycle)
    lifecycle.connect(app)
    # What a worker does beside its steps shares a connection.
    database = Database(settings.database_url, name="perdure-janitor", size=1)
    app.steps["worker"].add(janitor_step(settings, database, tracing))
    app.steps["worker"].add(load_step(settings, lifecycle.board, Hosts(database), lifecycle.look))
    app.steps["consumer"].add(GatherEvents)
    app.steps["consumer"].add(hearing_step(Listener(settings)))
    return app


def _settings() -> Settings:
    """The settings, or one sentence on what is wrong with them."""
    try:
        return load_settings().require_servers()
    except SettingsInvalid as error:
        raise SystemExit(f"perdure: {error}") from error


app = make_worker(_settings())
