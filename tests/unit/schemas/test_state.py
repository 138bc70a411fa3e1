from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.state import SCHEMA_VERSION, read_state

# As clients before this server stored it: version 1.0, with fewer fields.
STORED: dict[str, Any] = {
    "schema_version": "1.0",
    "workflow_id": "workflow_1_x",
    "status": "running",
    "current_step": 1,
    "total_steps": 3,
    "steps": [
        {"index": 0, "action": "test_ssh", "label": "Test", "status": "completed", "duration_ms": 820,
         "result": {"success": True, "message": "ok", "details": {"hostname": "gpu"}}},
        {"index": 1, "action": "install-custom-nodes", "label": "Nodes", "status": "in_progress",
         "progress": {"type": "multi_phase", "percent": 50, "phases": [{"label": "Fetch"}], "active_phase": 0}},
        {"index": 2, "action": "reboot_instance", "label": "Reboot", "status": "pending"},
    ],
    "ssh_connection": "ssh -p 2838 root@10.1.2.3",
    "template_id": None,
    "start_time": "2025-11-21T05:54:39",
    "last_update": 1763704500000,
    "metadata": {"user_agent": "x", "initiated_from": "page"},
}  # fmt: skip


def test_a_document_of_an_earlier_writer_is_completed() -> None:
    state = read_state(STORED)
    assert state.active is True
    assert state.start_time == datetime(2025, 11, 21, 5, 54, 39, tzinfo=UTC)
    assert state.last_update == datetime.fromtimestamp(1763704500, UTC)
    assert state.counts.model_dump(exclude={"total"}) == {
        "pending": 1, "in_progress": 1, "completed": 1, "failed": 0, "skipped": 0, "cancelled": 0}  # fmt: skip
    assert [step.key for step in state.steps] == ["test_ssh_0", "install-custom-nodes_1", "reboot_instance_2"]
    assert state.steps[0].result is not None
    assert state.steps[0].result.details == {"hostname": "gpu"}


def test_reading_what_was_written_changes_nothing() -> None:
    state = read_state(STORED)
    assert read_state(state.model_dump(mode="json")) == state


def test_a_document_without_a_version_is_brought_up() -> None:
    state = read_state(
        {
            "workflow_id": "w",
            "status": "failed",
            "start_time": 1763704479.5,
            "steps": [{"name": "test_ssh", "state": "failed", "error": "refused", "result": False}],
        }
    )
    assert (state.schema_version, state.active) == (SCHEMA_VERSION, False)
    step = state.steps[0]
    assert (step.action, step.status) == ("test_ssh", "failed")
    assert step.error is not None
    assert step.error.message == "refused"
    assert step.result is not None
    assert step.result.success is False


def test_a_stored_password_is_dropped() -> None:
    state = read_state(STORED | {"ssh_connection": "ssh root:hunter22@10.1.2.3"})
    assert state.ssh_connection == "ssh root@10.1.2.3"


@pytest.mark.parametrize("version", ["2.0", "0.1", 7])
def test_a_version_that_is_not_known_is_refused(version: object) -> None:
    with pytest.raises(ValueError, match="reads up to"):
        read_state(STORED | {"schema_version": version})


@pytest.mark.parametrize(
    "changes",
    [{"status": "flying"}, {"workflow_id": None}, {"start_time": "yesterday"}, {"steps": [{"status": "ready"}]}],
)
def test_what_is_no_state_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        read_state(STORED | changes)


def test_fields_of_a_later_writer_are_kept() -> None:
    assert read_state(STORED | {"estimate_s": 12}).model_dump()["estimate_s"] == 12
