"""The relay as a table of contents."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from api.auth.identity import session_cookie_name
from api.relay.access import Access
from api.relay.admission import Admission
from api.relay.chat_work import ChatWork
from api.relay.conversations_feed import ConversationsFeed, conversations_blueprint
from api.relay.figures import Figures, figures_blueprint
from api.relay.hub import Hub
from api.relay.message_feed import MessageFeeds
from api.relay.message_routes import messages_blueprint
from api.relay.metrics_feed import figures_sources
from api.relay.native import NativeDatabase, NativeThreads
from api.relay.openai_routes import openai_blueprint
from api.relay.polling import state_blueprint
from api.relay.problems import map_errors
from api.relay.sockets import add_sockets
from api.relay.sse import events_blueprint
from api.relay.states import States
from api.security import allowed_origins, secure
from messaging.live import LiveEvents
from messaging.reading import StreamReader
from orchestration.chat.reading import Conversations
from orchestration.engine.queries import Queries
from orchestration.models.registry import ModelRegistry
from settings import Settings

DATABASE_THREADS = 4


def create_relay(settings: Settings) -> Flask:
    """The app that holds open connections; it must run under gevent. Opens nothing until the first client comes."""
    threads = NativeThreads(DATABASE_THREADS)
    database = NativeDatabase(settings.database_url, name="perdure-relay")
    hub = Hub(StreamReader(settings.redis_url, name="perdure-relay"), LiveEvents(settings.redis_url))
    conversations = Conversations(database)
    states = States(hub, Queries(database), conversations, threads)
    feeds = MessageFeeds(hub, conversations, threads)
    admission = Admission(database, threads)
    access = Access(admission, cookie=session_cookie_name(settings), origins=allowed_origins(settings))

    sources = figures_sources(database, threads, settings)

    models = ModelRegistry(
        settings.model_providers,
        demo_models=settings.demo_models,
        mixtures=settings.mixtures,
        default=settings.default_model,
    )

    app = Flask("relay", static_folder=None)
    map_errors(app)
    secure(app, settings)
    app.register_blueprint(events_blueprint(access, hub, states))
    app.register_blueprint(state_blueprint(access, states, cleanup_delay_s=settings.cleanup_delay_s))
    app.register_blueprint(messages_blueprint(access, feeds))
    app.register_blueprint(conversations_blueprint(access, ConversationsFeed(conversations, threads)))
    app.register_blueprint(openai_blueprint(ChatWork(settings, access, models), feeds))
    app.add_url_rule("/healthz", view_func=_healthz)
    figures = Figures(admission, hub, add_sockets(app, settings, admission, hub, states, sources))
    app.register_blueprint(figures_blueprint(settings, access, figures))
    app.extensions["perdure_figures"] = figures
    return app


def _healthz() -> Response:
    return jsonify(status="ok")
