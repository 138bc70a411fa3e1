"""What gunicorn's own process logs, and its workers until the app is loaded: the same lines as all others.

`gunicorn --logger-class api.server_log.ServerLog`. Loaded before gevent has replaced anything, so it imports little.
"""

from __future__ import annotations

from gunicorn.glogging import Logger

from logs import configure_logs
from settings import SettingsInvalid, load_settings


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Leaves the form of a line, and what it may not show, to `configure_logs`."""

    def setup(self, cfg: object) -> None:
        """Set gunicorn's levels, then send its lines to where those of the app go."""
        super().setup(cfg)
        try:
            settings = load_settings()
        except SettingsInvalid:  # the app says what is wrong with them
            configure_logs("info")
        else:
            configure_logs(settings.log_level, settings.log_format, secrets=settings.own_secrets())
