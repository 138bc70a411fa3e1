"""Plans over a history of 20,000 runs: nothing that the engine does or shows reads it from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.history_cases import CASES, Case, Engine
from bench.history_load import load_history
from bench.history_plans import ExplainedDatabase, explain
from orchestration.store.database import Database
from tests.support.engine import broken_invariants

RUNS = 20_000
# The purge reads all keys of starts that are kept, and all steps when it is told that runs are long.
KNOWN_BAD = ("sweep: nothing to purge", "purge of 200 runs")


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


def _case(case: Case) -> Any:
    known = pytest.mark.xfail(reason="the purge is not bounded yet", raises=AssertionError, strict=True)
    return pytest.param(case, id=case.name, marks=[known] if case.name in KNOWN_BAD else [])


@pytest.mark.parametrize("case", [_case(case) for case in CASES])
def test_a_call_reads_no_more_with_a_long_history(engine: Engine, case: Case) -> None:
    assert isinstance(engine.database, ExplainedDatabase)
    plan = explain(case, engine, engine.database)
    assert plan.complaint(case.most_buffers) is None, f"{plan}"


def test_the_loaded_history_is_one_that_the_engine_could_have_left(history: str) -> None:
    database = Database(history, size=1)
    try:
        assert broken_invariants(database) == {}
    finally:
        database.close()
