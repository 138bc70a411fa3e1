"""Copies of states as files, for tools that read the older layout. PostgreSQL stays the truth; nothing reads them back.

`state_file` holds the state of the run in hand, `history_dir` a file for each finished run; both private to the owner.
"""

from __future__ import annotations

import logging
import os
import tempfile
from datetime import datetime
from pathlib import Path

from orchestration.engine.queries import Queries
from orchestration.redaction import Redactor
from orchestration.store.database import Database
from settings import Settings

log = logging.getLogger("perdure.exports")

BATCH = 50


class Exports:
    """Writes the files that the settings ask for; the elected janitor calls `write` with each sweep."""

    def __init__(self, settings: Settings, database: Database) -> None:
        on = settings.state_persistence
        self.state_file = settings.state_file if on else None
        self.history_dir = settings.history_dir if on else None
        self._database = database
        self._queries = Queries(database, redactor=Redactor())
        self._written = ""
        self._ended_until: datetime | None = None

    def write(self) -> None:
        """Bring the files up to date. A file that cannot be written is a line in the log, never a failed sweep."""
        try:
            if self.state_file is not None:
                self._write_current(self.state_file)
            if self.history_dir is not None:
                self._write_history(self.history_dir)
        except OSError as error:
            log.warning("export not written: %s", error)

    def _write_current(self, path: Path) -> None:
        run_id = self._database.call(
            "SELECT coalesce((SELECT public_id FROM runs WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1),"
            " (SELECT public_id FROM runs ORDER BY id DESC LIMIT 1))"
        )
        if run_id is None or (tag := self._queries.version(run_id)) == self._written or tag is None:
            return
        self._write_state(run_id, path)
        self._written = tag

    def _write_history(self, directory: Path) -> None:
        if self._ended_until is None:
            # What ended while no janitor ran is caught up for a day.
            self._ended_until = self._database.call("SELECT clock_now() - interval '1 day'")
        rows = self._database.rows(
            "SELECT public_id, ended_at FROM runs WHERE ended_at > %s ORDER BY ended_at LIMIT %s",
            self._ended_until,
            BATCH,
        )
        for run_id, ended_at in rows:
            self._write_state(run_id, directory / f"{run_id.replace(':', '_')}.json")
            self._ended_until = ended_at

    def _write_state(self, run_id: str, path: Path) -> None:
        state = self._queries.state_text(run_id, None)
        if state is not None:
            write_whole(path, state[1])


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner alone. Raises: OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A temporary file is made with mode 0600.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
