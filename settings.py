"""Every setting of Perdure, read once when a process starts and handed on as values."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def default_data_dir(purpose: str) -> Path:
    """Where `up`, `demo` or `tests` keep their data when no setting says so.

    Each clone and each purpose has its own. As root it lies under /var/lib, where the account the servers run as can
    reach it; otherwise in the clone, or in the user's state directory when Perdure was installed as a package.
    """
    clone = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/var/lib/perdure") / clone / purpose
    if (ROOT / "pyproject.toml").exists() and os.access(ROOT, os.W_OK):
        return ROOT / ".data" / purpose
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return state / "perdure" / clone / purpose
