"""Files only their owner may read, and directories the servers' account may pass through."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; mode 0600 from its first byte on."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def make_data_dir(path: Path) -> None:
    """Create a directory for data, with its parents; closed to others, except that as root they may pass through.

    As root the servers run under another account. Directories that exist already keep their permissions.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        directory.chmod(mode)  # whatever the umask
