"""The admin's token, made where the database is migrated. All other tokens are made over HTTP."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cli.token_file import token_file
from orchestration.store import accounts
from orchestration.store.database import Database
from schemas.statuses import Role

if TYPE_CHECKING:
    from settings import Settings

log = logging.getLogger(__name__)
ADMIN = "admin"
TOKEN_PREFIX = "perdure_"


def ensure_admin_token(database: Database, settings: Settings) -> Path | None:
    """Make sure that there is an admin token, and that its file holds it. Safe to call at every start.

    A preset token (`PERDURE_ADMIN_TOKEN`) replaces the one before, which ends its sessions. Otherwise the file's token
    stays; where the file is lost, a new one is made. None when the token is preset and the file cannot be written.
    """
    file = token_file(settings)
    kept = settings.admin_token or _read(file)
    secret = kept or accounts.new_secret(TOKEN_PREFIX)
    # The file first: a token that only the database knows is of no use to anybody.
    try:
        _write(file, secret)
    except OSError as error:
        if not settings.admin_token:
            raise
        log.warning("the admin token was not written to %s: %s", file, error)
        file = None  # type: ignore[assignment]
    accounts.set_token(database, name=ADMIN, user_name=ADMIN, role=Role.ADMIN, secret=secret)
    return file


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None


def _write(file: Path, secret: str) -> None:
    """Replace the file in one step; it is never readable by others, not even for a moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(secret + "\n")
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
