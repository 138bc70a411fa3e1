"""Bring the database to this version's tables and make the admin's token: `python -m cli.migrate`, a step of `up`."""

from __future__ import annotations

import sys
from contextlib import closing

from cli.accounts import ensure_admin_token
from orchestration.errors import PerdureError
from orchestration.store.database import Database
from orchestration.store.migrate import migrate
from settings import SettingsInvalid, load_settings


def main() -> int:
    """Migrate the database the settings name and make sure of the admin's token; 1 with one sentence if it fails."""
    try:
        settings = load_settings().require_servers()
        migrate(settings.database_url)
        # Here, and not in the web process: this runs once, before anything that asks for a token.
        with closing(Database(settings.database_url, name="perdure-migrate", size=1)) as database:
            ensure_admin_token(database, settings)
    except (SettingsInvalid, PerdureError, OSError) as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    sys.stdout.write("the database is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
