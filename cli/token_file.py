"""The admin's token file. Apart from cli/accounts.py, so that a command which only asks loads no database client."""

from __future__ import annotations

from pathlib import Path

from settings import Settings

TOKEN_FILE = "admin-token"


def token_file(settings: Settings) -> Path:
    """Where the admin's token lies, readable by the owner of the data directory only."""
    return settings.data_dir / TOKEN_FILE
