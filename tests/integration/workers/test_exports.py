"""The optional files: private, whole, and only when asked for."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from settings import load_settings
from tests.support.engine import Harness
from workers.exports import Exports

pytestmark = pytest.mark.integration


def exports(engine: Harness, **fields: object) -> Exports:
    return Exports(load_settings(attach=False, database_url=engine.database.url, **fields), engine.database)


def test_the_state_in_hand_and_finished_runs_are_written_privately(database_url: str, tmp_path: Path) -> None:
    engine = Harness(database_url)
    state_file, history = tmp_path / "state.json", tmp_path / "history"
    files = exports(engine, state_file=state_file, history_dir=history)
    run = engine.start({"key": "a"}, run_id="r1")
    files.write()
    assert json.loads(state_file.read_text())["workflow_id"] == "r1"
    assert stat.S_IMODE(state_file.stat().st_mode) == 0o600
    assert not history.exists()
    engine.finish(engine.claim(run, 0))
    files.write()
    kept = history / "r1.json"
    assert json.loads(kept.read_text())["status"] == "completed"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(state_file.read_text())["status"] == "completed"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    engine.close()


def test_nothing_is_written_when_persistence_is_off_or_nothing_was_asked(database_url: str, tmp_path: Path) -> None:
    engine = Harness(database_url)
    engine.start({"key": "a"})
    exports(engine).write()
    exports(engine, state_file=tmp_path / "state.json", state_persistence=False).write()
    assert list(tmp_path.iterdir()) == []
    engine.close()
