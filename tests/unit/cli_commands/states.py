"""State documents for tests of what is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 1, 2, 12, 0, 30, tzinfo=UTC)
BEGAN = NOW - timedelta(seconds=75)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def step(index: int, status: str = "pending", **fields: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "index": index,
        "key": f"s{index}",
        "action": "demo.sleep",
        "label": f"Step {index}",
        "status": status,
        "ready": False,
        "waiting_for": None,
        "until": None,
        "stopping": False,
        "attempt": 0 if status == "pending" else 1,
        "failures": 0,
        "max_attempts": 3,
        "start_time": None,
        "end_time": None,
        "duration_ms": None,
        "result": None,
        "error": None,
        "progress": None,
    }
    return known | fields


def state(*steps: dict[str, Any], status: str = "running", **fields: Any) -> dict[str, Any]:
    counted = {name: sum(each["status"] == name for each in steps) for name in ("completed", "skipped", "failed")}
    active = status in ("pending", "running", "paused")
    known: dict[str, Any] = {
        "workflow_id": "run-1",
        "name": "Nightly",
        "status": status,
        "active": active,
        "stopping": False,
        "current_step": next((s["index"] for s in steps if s["status"] == "in_progress"), None),
        "total_steps": len(steps),
        "counts": {"total": len(steps), **counted},
        "steps": list(steps),
        "steps_truncated": False,
        "start_time": BEGAN.isoformat(),
        "last_update": NOW.isoformat(),
        "end_time": None if active else NOW.isoformat(),
        "ssh": None,
        "error": None,
    }
    return known | fields
