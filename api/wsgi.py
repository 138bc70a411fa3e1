"""What gunicorn serves: `gunicorn api.wsgi:app`."""

from __future__ import annotations

from api.app import create_app
from api.services import build_services
from logs import configure_logs
from settings import load_settings
from tracing import make_tracing

settings = load_settings()
configure_logs(settings.log_level, settings.log_format, secrets=settings.own_secrets())
tracing = make_tracing(settings.otel_endpoint, "web", sample=settings.otel_sample, is_global=True)
app = create_app(build_services(settings, tracing))
