"""The web app as a table of contents."""

from __future__ import annotations

from importlib.metadata import version

from flask_openapi.models.info import Info

from api.audit import record_audit
from api.auth.rights import guard
from api.blueprints import (
    actions,
    alerts,
    auth,
    breakers,
    chat,
    chat_battles,
    chat_conversations,
    config,
    health,
    hosts,
    metrics,
    page,
    reference,
    runs,
    sessions,
    ssh,
    templates,
    v1,
    workers,
    workflow,
)
from api.built_page import BuiltPage
from api.compression import compress_answers
from api.errors import Problem, invalid_request, map_errors
from api.exposition import measure
from api.openapi import SECURITY_SCHEMES, Api
from api.security import secure
from api.services import Services
from api.state_poll import StatePolls


def create_app(services: Services, built: BuiltPage | None = None) -> Api:
    """The app that answers HTTP, with the page that was built. Opens no connection until the first request."""
    app = Api(
        "api",
        info=Info(title="Perdure", version=version("perdure"), description="Durable workflows and agents on Celery."),
        security_schemes=SECURITY_SCHEMES,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=invalid_request,
        doc_ui=False,
    )
    app.extensions["perdure"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]

    if services.traces is not None:
        services.traces.connect(app)
    compress_answers(app)
    map_errors(app)
    record_audit(app)
    secure(app, services.settings)

    app.register_api(auth.bp)
    app.register_api(sessions.bp)
    app.register_api(health.bp)
    app.register_api(reference.bp)
    app.register_api(workflow.bp)
    app.register_api(runs.bp)
    app.register_api(templates.bp)
    app.register_api(actions.bp)
    app.register_api(config.bp)
    app.register_api(ssh.bp)
    app.register_api(hosts.bp)
    app.register_api(workers.bp)
    app.register_api(metrics.bp)
    app.register_api(metrics.bp_exposition)
    app.register_api(breakers.bp)
    app.register_api(alerts.bp)
    app.register_api(chat.bp)
    app.register_api(chat_conversations.bp)
    app.register_api(chat_battles.bp)
    app.register_blueprint(v1.bp)
    page.serve_page(app, built or BuiltPage())

    guard(app)
    app.wsgi_app = StatePolls(app.wsgi_app, services)  # type: ignore[method-assign]
    measure(app)
    return app
