"""Plans over a history of 20,000 runs: nothing that the engine does or shows reads it from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.history_cases import CASES, Case, Engine
from bench.history_load import NEEDLE, RARE_USER, load_history
from bench.history_plans import ExplainedDatabase, explain
from orchestration.engine.queries import Queries
from orchestration.engine.queries_runs import RunFilter
from orchestration.store.database import Database
from schemas.statuses import RunStatus
from tests.support.engine import broken_invariants

RUNS = 20_000


@pytest.fixture(scope="module")
def history(module_database_url: str) -> str:
    """A database with a year of finished runs, and its statistics."""
    load_history(module_database_url, RUNS)
    return module_database_url


@pytest.fixture(scope="module", params=["custom", "generic"])
def engine(request: pytest.FixtureRequest, history: str) -> Iterator[Engine]:
    """An engine whose calls are explained, planned with the values or without."""
    engine = Engine(ExplainedDatabase(history, generic=request.param == "generic"))
    engine.look_around(RUNS)
    yield engine
    engine.database.close()


@pytest.fixture
def queries(history: str) -> Iterator[Queries]:
    database = Database(history, size=1)
    yield Queries(database)
    database.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_call_reads_no_more_with_a_long_history(engine: Engine, case: Case) -> None:
    assert isinstance(engine.database, ExplainedDatabase)
    plan = explain(case, engine, engine.database)
    assert plan.complaint(case.most_buffers) is None, f"{plan}"


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (RunFilter(), "true"),
        (RunFilter(statuses=[RunStatus.FAILED, RunStatus.CANCELLED]), "status IN ('failed', 'cancelled')"),
        (RunFilter(created_by="user-3"), "created_by = 'user-3'"),
        (RunFilter(created_by=RARE_USER), f"created_by = '{RARE_USER}'"),
        (RunFilter(created_by="user-3", statuses=[RunStatus.FAILED]), "created_by = 'user-3' AND status = 'failed'"),
        (RunFilter(template_id="template-2"), "template_id = 'template-2'"),
        (RunFilter(text=NEEDLE), f"name LIKE '%{NEEDLE}%'"),
    ],
)
def test_a_list_read_page_by_page_shows_each_run_once_and_newest_first(
    queries: Queries, wanted: RunFilter, where: str
) -> None:
    rows = queries.database.rows(
        "SELECT public_id FROM runs r JOIN run_documents d ON d.run_id = r.id "
        f"WHERE {where} ORDER BY r.id DESC LIMIT 600"
    )
    shown: list[Any] = []
    place = None
    while len(shown) < len(rows):
        page = queries.list_runs(wanted, before=place, limit=200)
        shown += [run["workflow_id"] for run in page.runs]
        place = page.next
        if place is None:
            break
    assert shown[: len(rows)] == [public_id for (public_id,) in rows]


def test_a_persons_only_run_is_on_the_first_page_however_long_ago(queries: Queries) -> None:
    page = queries.list_runs(RunFilter(created_by=RARE_USER))
    assert (len(page.runs), page.next) == (1, None)


def test_the_loaded_history_is_one_that_the_engine_could_have_left(queries: Queries) -> None:
    assert broken_invariants(queries.database) == {}
