"""What the views work with, made once when the web process starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from flask import current_app

from api.limits import Limiter
from api.readiness import ReadinessCheck
from api.sending import BackgroundDispatcher
from api.tracing import StartTraces
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.stream import EventStream
from messaging.traced import traced
from orchestration.actions.declaration import ActionDeclaration
from orchestration.actions.registry import load_actions
from orchestration.chat.battles import Battles
from orchestration.chat.chats import Chats
from orchestration.chat.reading import Conversations
from orchestration.chat.snapshots import Snapshots
from orchestration.engine.queries import Queries
from orchestration.engine.runs import Runs
from orchestration.errors import InvalidChat
from orchestration.models.registry import ModelRegistry
from orchestration.ports import EventSink
from orchestration.redaction import Redactor
from orchestration.store.database import Database
from settings import Settings

if TYPE_CHECKING:
    from tracing_otel import Tracing

# How many connections to PostgreSQL are kept, half of the threads that gunicorn is started with: a connection beyond
# these is closed after its call, and opening one takes longer than most requests.
POOL_SIZE = 8


@dataclass(frozen=True)
class Services:
    """The use cases and what they stand on."""

    settings: Settings
    database: Database
    runs: Runs
    queries: Queries
    actions: Mapping[str, ActionDeclaration]
    redactor: Redactor
    limiter: Limiter
    readiness: ReadinessCheck
    redis_url: str
    models: ModelRegistry
    chats: Chats
    conversations: Conversations
    snapshots: Snapshots
    battles: Battles
    traces: StartTraces | None = None


def build_services(settings: Settings, tracing: Tracing | None = None) -> Services:
    """Put the services together. Opens no connection: those come with the first request."""
    traces = StartTraces(tracing) if tracing is not None else None
    actions = load_actions(settings.actions)
    database = Database(settings.database_url, name="perdure-web", size=POOL_SIZE)
    redactor = Redactor(_own_secrets(settings))
    events = EventStream(settings.redis_url)
    runs = Runs(
        database,
        BackgroundDispatcher(traced(CeleryDispatcher(make_celery(settings.broker_url)), tracing)),
        events,
        actions,
        resend_s=settings.resend_s,
        on_started=traces.started if traces is not None else None,
    )
    models = ModelRegistry(
        settings.model_providers,
        demo_models=settings.demo_models,
        mixtures=settings.mixtures,
        default=settings.default_model,
    )
    conversations = Conversations(database)
    return Services(
        settings=settings,
        database=database,
        runs=runs,
        queries=Queries(database, redactor=redactor),
        actions=actions,
        redactor=redactor,
        limiter=Limiter(settings.redis_url, {"start": settings.start_rate_limit, "chat": settings.chat_rate_limit}),
        readiness=ReadinessCheck(settings.database_url, settings.redis_url),
        redis_url=settings.redis_url,
        models=models,
        chats=make_chats(database, runs, events, models, settings.chat_filters),
        conversations=conversations,
        snapshots=Snapshots(conversations, events),
        battles=Battles(database),
        traces=traces,
    )


def make_chats(
    database: Database, runs: Runs, events: EventSink, models: ModelRegistry, filters: Sequence[str] = ()
) -> Chats:
    """Chatting with these models, by these runs; every answer passes `filters`."""

    def check(name: str) -> None:
        models.find(name)

    try:
        default = models.default
    except InvalidChat:  # none is set up; whoever asks is told so
        default = ""
    return Chats(
        database,
        runs.starts,
        events,
        check_model=check,
        mixtures=models.mixtures,
        default_model=default,
        filters=filters,
    )


def _own_secrets(settings: Settings) -> list[str]:
    """What an error may quote by mistake: the preset tokens and the passwords of the servers."""
    urls = (settings.database_url, settings.redis_url)
    found = [settings.admin_token, settings.metrics_token, *(unquote(urlsplit(url).password or "") for url in urls)]
    return [secret for secret in found if secret]


def current_services() -> Services:
    """The services of the app that answers this request."""
    return cast(Services, current_app.extensions["perdure"])
