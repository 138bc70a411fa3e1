"""Background work on a host that is nearly used up, with real load on the processor and real workers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.engine.hosts import Hosts
from orchestration.engine.queries import Queries
from orchestration.gates.load import Load, LoadSample
from tests.conftest import Eventually
from tests.support.workers import Fleet

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(120)]
STEPS = 4


@pytest.fixture
def busy() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def load_critical() -> str:
    return "0.9"


@pytest.fixture
def fleet(database_url: str, redis_url: str, tmp_path: Path, load_critical: str) -> Iterator[Fleet]:
    settings = {
        "load_high": "0.5",
        "load_critical": load_critical,
        "load_sample_s": "0.1",
    }
    with Fleet(database_url, redis_url, tmp_path, **settings) as fleet:
        container = tmp_path / "container"
        container.touch()
        fleet.environment["PERDURE_TEST_CONTAINER"] = str(container)
        fleet.environment["PERDURE_ACTIONS"] += ",tests.support.container"
        yield fleet


def test_under_load_a_worker_leaves_background_work_to_a_host_that_has_room(
    fleet: Fleet, busy: list[subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    hosts = Hosts(fleet.database)
    fleet.worker("w", "threads")
    (fleet.directory / "container").write_text(" ".join(str(process.pid) for process in busy))
    eventually(lambda: [host["level"] for host in hosts.all()] == ["critical"])
    idle = LoadSample(0.1, 0.1, 0.1, 0.1, 4.0, 1 << 30, 1 << 29, 1 << 30)
    hosts.report("idle", idle, Load())
    fleet.database.execute(
        "INSERT INTO workers (id, name, host, boot_id, pid, started_at, queues) "
        "VALUES ('idle', 'io@idle', 'idle', 'b', 1, now(), '{default}')"
    )
    background = fleet.start({"key": "a", "action": "t.work"}, kind="background")
    # Sent again at least twice, and left again each time.
    eventually(lambda: fleet.steps(background)[0]["sends"] >= 3)
    assert fleet.steps(background)[0]["status"] == "ready"
    assert fleet.attempts(background) == []
    # With nobody else left who could take it, it waits here for this host.
    fleet.database.execute("UPDATE workers SET ended_at = now() WHERE id = 'idle'")
    eventually(lambda: fleet.steps(background)[0]["waiting_for"] == "throttled")


@pytest.mark.parametrize(("pool", "action"), [("threads", "t.work"), ("prefork", "t.killable")])
def test_under_load_background_work_waits_and_says_why_while_people_are_served_and_goes_on_afterwards(
    fleet: Fleet, busy: list[subprocess.Popen[bytes]], eventually: Eventually, pool: str, action: str
) -> None:
    hosts, queries = Hosts(fleet.database), Queries(fleet.database)
    fleet.worker("w", pool)
    (fleet.directory / "container").write_text(" ".join(str(process.pid) for process in busy))
    eventually(lambda: [host["level"] for host in hosts.all()] == ["critical"])

    steps = [{"key": f"s{n}", "action": action, "needs": []} for n in range(STEPS)]
    background = fleet.start(*steps, kind="background")
    people = fleet.start(*steps)
    eventually(lambda: fleet.status(people) == "completed")
    eventually(lambda: {step["waiting_for"] for step in fleet.steps(background)} == {"throttled"})
    assert fleet.effects(run=background) == {}

    def is_told(key: str) -> bool:
        return re.fullmatch(r"cpu at \d+ %", queries.step(background.run_id, key)["why"] or "") is not None

    assert all(eventually(lambda key=step["key"]: is_told(key)) for step in steps)

    (reported,) = {host["reported_at"] for host in hosts.all()}
    eventually(lambda: {host["reported_at"] for host in hosts.all()} != {reported})
    assert len(fleet.attempts(background)) == STEPS, "nobody asks again while nothing has changed"

    for process in busy:
        process.kill()
    eventually(lambda: fleet.status(background) == "completed", timeout_s=20)
    assert fleet.effects(run=background) == {step["key"]: 1 for step in steps}
    assert {attempt["outcome"] for attempt in fleet.attempts(background)} == {"waiting", "completed"}
    assert {step["failures"] for step in fleet.steps(background)} == {0}


@pytest.mark.parametrize("load_critical", ["2"])
@pytest.mark.parametrize(("pool", "action", "places"), [("threads", "t.work", 2), ("prefork", "t.killable", 1)])
def test_under_high_load_background_work_goes_on_in_a_share_of_the_places(
    fleet: Fleet, busy: list[subprocess.Popen[bytes]], eventually: Eventually, pool: str, action: str, places: int
) -> None:
    hosts = Hosts(fleet.database)
    fleet.worker("w", pool)
    (fleet.directory / "container").write_text(" ".join(str(process.pid) for process in busy))
    eventually(lambda: [host["level"] for host in hosts.all()] == ["high"])

    steps = [{"key": f"s{n}", "action": action, "needs": [], "params": {"seconds": 0.5}} for n in range(STEPS)]
    background = fleet.start(*steps, kind="background")
    eventually(lambda: fleet.status(background) == "completed")
    assert "throttled" in {(attempt["result"] or {}).get("waiting_for") for attempt in fleet.attempts(background)}
    changes = sorted((float(at), 1 if what == "begin" else -1) for _, _, _, what, at, _ in fleet.lines())
    at_once = [sum(change for _, change in changes[: end + 1]) for end in range(len(changes))]
    assert 1 <= max(at_once) <= places
