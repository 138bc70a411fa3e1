"""Under which account a server runs, and a place for its program that this account can reach.

PostgreSQL refuses to run as root. As root, servers therefore run as `nobody`; nothing but their own data is given to
it, and the permissions of parent directories are never touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from cli.guarded import Account

UNPRIVILEGED = "nobody"


def server_account() -> Account | None:
    """The account servers run as: None for this process's own, `nobody` when this process is root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def give_to(account: Account | None, *paths: Path) -> None:
    """Make the account the owner of these paths."""
    if account is not None:
        for path in paths:
            os.chown(path, account.uid, account.gid)


def can_run(account: Account | None, program: Path) -> bool:
    """True when the account can start the program where it lies."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
            cwd="/",
            check=False,
        )
    except OSError:
        return False
    return answer.returncode == 0


def reachable_program(account: Account | None, program: Path, parts: list[Path], copies: Path) -> Path:
    """Where the account can run the program: in place, or in a copy of `parts` under `copies`.

    `parts` are the directories it needs, side by side or below one another; the first one or its parents hold it. A
    clone or virtual environment below a closed home directory is out of reach for `nobody`.
    Raises: PermissionError when the copy cannot be reached either.
    """
    if can_run(account, program):
        return program
    root = Path(os.path.commonpath([part.parent for part in parts]))
    copied = copies / program.relative_to(root)
    if not can_run(account, copied):
        shutil.rmtree(copies, ignore_errors=True)
        for part in parts:
            shutil.copytree(part, copies / part.relative_to(root), symlinks=True)
        for directory in [copies, *copies.rglob("*/")]:
            directory.chmod(0o755)
    if not can_run(account, copied):
        raise PermissionError(
            f"the account '{UNPRIVILEGED}' cannot run {copied}; "
            "set PERDURE_DATA_DIR to a directory that all accounts may pass"
        )
    return copied
