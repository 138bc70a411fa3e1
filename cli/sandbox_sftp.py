"""SFTP of the sandbox host: starts in its home and goes nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncssh


class ConfinedSFTP(asyncssh.SFTPServer):
    """Relative paths start at the home, absolute ones must lie in it once links are resolved."""

    def __init__(self, channel: asyncssh.SSHServerChannel[Any], home: Path) -> None:
        super().__init__(channel)
        self._home = os.path.realpath(os.fsencode(home))

    def map_path(self, path: bytes) -> bytes:
        """The local path. Raises: SFTPPermissionDenied when it lies outside the home."""
        mapped = os.path.normpath(os.path.join(self._home, path))  # noqa: PTH118 - paths are bytes here
        parent = os.path.realpath(os.path.dirname(mapped))  # noqa: PTH120
        for place in (parent if mapped != self._home else mapped, os.path.realpath(mapped)):
            if place != self._home and not place.startswith(self._home + b"/"):
                raise asyncssh.SFTPPermissionDenied("outside of the sandbox's home")
        return mapped
