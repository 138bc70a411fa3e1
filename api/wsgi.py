"""What gunicorn serves: `gunicorn api.wsgi:app`."""

from __future__ import annotations

from api.app import create_app
from api.services import build_services
from settings import load_settings

app = create_app(build_services(load_settings()))
