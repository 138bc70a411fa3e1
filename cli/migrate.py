"""Bring the database to this version's tables: `python -m cli.migrate`, a step of `up`."""

from __future__ import annotations

import sys

from orchestration.errors import PerdureError
from orchestration.store.migrate import migrate
from settings import SettingsInvalid, load_settings


def main() -> int:
    """Migrate the database the settings name; 1 with one sentence when that is not possible."""
    try:
        migrate(load_settings().require_servers().database_url)
    except (SettingsInvalid, PerdureError) as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    sys.stdout.write("the database is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
