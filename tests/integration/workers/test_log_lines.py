"""What real workers log as JSON: an object a line, with the ids of the attempt where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logs import trace_id_of
from tests.conftest import Eventually
from tests.support.workers import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(database_url, redis_url, tmp_path, log_format="json") as fleet:
        yield fleet


@pytest.mark.parametrize(
    ("pool", "action", "of"), [("threads", "t.work", "thread"), ("prefork", "t.killable", "process")]
)
def test_every_line_is_an_object_and_those_of_an_attempt_name_it(
    fleet: Fleet, eventually: Eventually, pool: str, action: str, of: str
) -> None:
    worker = fleet.worker("w", pool)
    run = fleet.start(*({"key": key, "action": action, "params": {"seconds": 0.05}} for key in "ab"))
    eventually(lambda: fleet.status(run) == "completed")

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in worker.log.read_text().splitlines()]

    eventually(lambda: [line for line in lines() if line["message"] == "run completed"])
    of_run = [line for line in lines() if line.get("run_id") == run.run_id]
    celerys = [line for line in lines() if line["logger"] == "celery.app.trace"]
    assert celerys
    assert {(line["run_id"], line["position"]) for line in celerys} <= {(run.run_id, 0), (run.run_id, 1)}
    assert {line["trace_id"] for line in of_run} == {trace_id_of(run.run_id)}
    used = [line for line in of_run if line["message"] == "attempt ended"]
    assert [(line["step"], line["attempt"], line["of"], line["outcome"]) for line in used] == [
        (key, 1, of, "completed") for key in "ab"
    ]
    assert all(line["wall_s"] >= 0.05 and 0 <= line["cpu_s"] < 5 for line in used)
    assert all(line["peak_memory_bytes"] > 10 * 1024**2 for line in used)
    assert [attempt["resources"]["wall_s"] for attempt in fleet.attempts(run)] == [line["wall_s"] for line in used]
