"""The local side of a sync: inside PERDURE_SYNC_ROOT once all links are resolved, and never through a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent


@dataclass(frozen=True)
class Entry:
    """A file to copy: its path relative to both sides, its size in bytes and its time of change in whole seconds."""

    path: str
    size: int
    changed_at: int


def local_path(ctx: ActionContext, text: str) -> Path:
    """The local side with all links resolved. Raises: Permanent when it lies outside the root."""
    setting = ctx.settings.get("sync_root")
    if not setting:
        raise Permanent("no local directory may be synced; set PERDURE_SYNC_ROOT")
    root = Path(str(setting)).resolve()
    found = (root / text).resolve()
    if not found.is_relative_to(root):
        raise Permanent(f"{text!r} lies outside of the directory that may be synced (PERDURE_SYNC_ROOT)")
    return found


def local_entries(start: Path) -> Iterator[Entry]:
    """All plain files under `start`, or `start` itself. Links and special files are left out."""
    if not start.is_dir():
        yield _entry(start, start.name)
        return
    for folder, folders, names in os.walk(start, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield _entry(path, path.relative_to(start).as_posix())


def make_folder(start: Path, relative: str) -> Path:
    """Make `start/relative`, one folder after the other. Raises: Permanent where a link lies in the way."""
    folder = start
    for part in PurePosixPath(relative).parts:
        folder /= part
        if folder.is_symlink():
            raise Permanent(f"{relative!r} leads through a link; nothing is written there")
        folder.mkdir(exist_ok=True)
    return folder


def _entry(path: Path, relative: str) -> Entry:
    state = path.lstat()
    return Entry(relative, state.st_size, int(state.st_mtime))
