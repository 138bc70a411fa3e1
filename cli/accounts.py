"""What the command line does with tokens, where it stands beside the database."""

from __future__ import annotations

import logging
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.token_file import token_file
from orchestration.ports import Actor
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


def create_token(
    database: Database, *, name: str, role: Role, user_name: str | None = None, length: timedelta | None = None
) -> str | None:
    """The secret of a new token, shown this once. None when the name is taken. `length`: None, until it is deleted."""
    secret = accounts.new_secret(TOKEN_PREFIX)
    added = accounts.add_token(
        database, name=name, user_name=user_name or name, role=role, secret=secret, length=length
    )
    _audit(database, "token.create", name, done=added)
    return secret if added else None


def delete_token(database: Database, name: str) -> bool:
    """Delete a token, which ends its sessions at once. False when there is none of this name."""
    deleted = accounts.delete_token(database, name)
    _audit(database, "token.delete", name, done=deleted)
    return deleted


def sign_in_link(database: Database, settings: Settings, token: str | None = None) -> str | None:
    """A link that signs a browser in once, within ten minutes, as the holder of `token` (unset: the admin).

    The code is in the fragment, which browsers send to nobody. None when the token is not valid (any more).
    """
    secret = token or settings.admin_token or _read(token_file(settings))
    code = accounts.add_sign_in_code(database, secret) if secret else None
    return None if code is None else f"{settings.web_url}/sign-in#code={code}"


def _audit(database: Database, action: str, target: str, *, done: bool) -> None:
    actor = Actor("local", Role.ADMIN, "command line")
    accounts.add_audit(database, actor, action=action, target=target, outcome="done" if done else "refused", detail={})


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
