"""What gunicorn serves as the relay: `gunicorn -k gevent -w 1 --worker-connections 8000 api.relay_wsgi:app`."""

from __future__ import annotations

import sys

from gevent import monkey

# Before anything else is imported: modules that hold the blocking socket or lock classes would keep them.
monkey.patch_all()

from api.relay.app import create_relay  # noqa: E402
from api.relay.garbage import collect_in_short_pauses  # noqa: E402
from api.relay.native import log_from_native_threads  # noqa: E402
from logs import configure_logs  # noqa: E402
from settings import load_settings  # noqa: E402

# Each write to a client gives the interpreter away. A thread that starts a run would keep it for ten writes' time.
SWITCH_S = 0.0005

settings = load_settings()
sys.setswitchinterval(SWITCH_S)
configure_logs(settings.log_level, settings.log_format, secrets=settings.own_secrets())
log_from_native_threads()
app = create_relay(settings)
app.extensions["perdure_figures"].publish(settings.redis_url)
collect_in_short_pauses()
