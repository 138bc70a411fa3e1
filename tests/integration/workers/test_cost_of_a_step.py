"""What a step of a chain costs a real worker, in counts: statements, broker commands, bytes and rows. No times."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import redis

from cli.servers import EmbeddedPostgres
from cli.servers.postgres import create_database, drop_database
from tests.support.statements import StatementTap
from tests.support.workers import Fleet, wait_until

STEPS = 200
WARM_UP = 20
RUNS = 2
# What a worker does beside its steps in such a time, on a slow machine too: heartbeats, sweeps, its end.
BESIDE = 60
OF_MESSAGES = {"lpush", "brpop"}
# All but the first two are what the script does inside the server: no round trips.
OF_EVENTS = {"evalsha", "publish", "info", "xrevrange", "xadd", "ttl", "expire"}
pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Bill:
    """What one run of `STEPS` steps made the worker send; `rows` counts the warm-up too."""

    statements: Counter[str]
    commands: Counter[str]
    sent_bytes: int
    rows: dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module", params=["0", "60000"], ids=["a task a step", "handed over"])
def handover_ms(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def handed_over(handover_ms: str) -> bool:
    return handover_ms != "0"


@pytest.fixture(scope="module")
def url(postgres_server: EmbeddedPostgres, migrated_template: str, handover_ms: str) -> Iterator[str]:
    """A database for each of the two ways: its statistics are those of one worker."""
    name = f"cost_{handover_ms}_{uuid.uuid4().hex[:8]}"
    create_database(postgres_server.url, name, migrated_template)
    yield postgres_server.url_of(name)
    drop_database(postgres_server.url, name)


@pytest.fixture(scope="module")
def bill(url: str, module_redis_url: str, tmp_path_factory: pytest.TempPathFactory, handover_ms: str) -> Bill:
    """The worker is asked to end before its counts are read: by then it and its connections have told all."""
    server = urlsplit(url)
    directory = tmp_path_factory.mktemp("fleet")
    settings = {"handover_ms": handover_ms, "resend_s": "60"}  # nothing is sent twice because the machine is slow
    with (
        StatementTap(str(server.hostname), int(server.port or 5432)) as tap,
        redis.Redis.from_url(module_redis_url) as client,
        Fleet(url, module_redis_url, directory, **settings) as fleet,
    ):
        fleet.environment["DATABASE_URL"] = url.replace(f":{server.port}/", f":{tap.port}/") + "?sslmode=disable"
        worker = fleet.worker("w1", "prefork", restart=False)
        run_chain(fleet, WARM_UP)
        statements, commands, sent_bytes = tap.statements(), commands_of(client), bytes_of(client)
        run_chain(fleet, STEPS)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(timeout=60) == 0, worker.log.read_text()[-3000:]
        # A connection that ends has written its statistics before it is gone from this view.
        others = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'test'"
        )
        wait_until(lambda: fleet.database.call(others) == 0, 30, lambda: fleet.database.call(others))
        found = fleet.database.rows("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables")
        bill = Bill(
            statements=tap.statements() - statements,
            commands=commands_of(client) - commands,
            sent_bytes=bytes_of(client) - sent_bytes,
            rows={table: (inserted, updated, deleted) for table, inserted, updated, deleted in found},
        )
    print(
        f"a step: {bill.statements.total() / STEPS:.2f} statements, {bill.sent_bytes / STEPS:.0f} bytes to the broker"
    )
    print(f"the run: {bill}")
    return bill


def run_chain(fleet: Fleet, length: int) -> None:
    run = fleet.start(*({"key": f"s{n}", "action": "t.killable"} for n in range(length)))
    fleet.wait_for(run, "completed", timeout_s=60)


def commands_of(client: redis.Redis) -> Counter[str]:
    """How often the server ran each command, also inside of scripts."""
    stats: dict[str, dict[str, int]] = client.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): entry["calls"] for name, entry in stats.items()})


def bytes_of(client: redis.Redis) -> int:
    return int(client.info("stats")["total_net_input_bytes"])


def test_a_step_is_two_statements_or_one_when_handed_over(bill: Bill, handed_over: bool) -> None:
    """Each is a transaction and a round trip of its own: nothing stands around them."""
    assert bill.statements["EXECUTE complete"] == STEPS
    assert bill.statements["EXECUTE claim"] == (1 if handed_over else STEPS)
    # Half a statement a step for the sweeps and heartbeats of a slow machine.
    assert bill.statements.total() <= (1.5 if handed_over else 2.5) * STEPS


def test_a_step_is_one_message_and_a_chain_that_is_handed_over_one_in_all(bill: Bill, handed_over: bool) -> None:
    assert bill.commands["lpush"] == (1 if handed_over else STEPS)


def test_a_message_takes_two_commands(bill: Bill, handed_over: bool) -> None:
    """Pushed and popped: what is in hand is noted in memory alone. An idle worker asks again each second."""
    of_messages = sum(bill.commands[name] for name in OF_MESSAGES)
    assert of_messages <= BESIDE + 2 * (1 if handed_over else STEPS)


def test_events_of_a_step_take_at_most_a_command_for_its_begin_and_one_for_its_end(
    bill: Bill, handed_over: bool
) -> None:
    """Events that come while others are on their way go together: less than one command a step on an idle machine."""
    assert bill.commands["evalsha"] <= 2 * STEPS + BESIDE
    # Begin, end and progress of the run; the next step's being ready is news only where it waits for a message.
    assert bill.commands["xadd"] <= (3 if handed_over else 4) * STEPS + BESIDE
    # Celery's own, for Flower: what gathers in 0.2 s goes together. The others are ours: one with each script.
    assert bill.commands["publish"] - bill.commands["evalsha"] <= 0.5 * STEPS


def test_nothing_else_is_sent_for_a_step(bill: Bill) -> None:
    """So a step is at most 4 commands, and at most 2 when it is handed over."""
    known = OF_MESSAGES | OF_EVENTS
    assert sum(calls for name, calls in bill.commands.items() if name not in known) <= BESIDE


def test_bytes_to_the_broker_are_bounded(bill: Bill, handed_over: bool) -> None:
    """Measured 2,500 and 1,440. A task a step: the message 600; Celery's events for Flower 1,150; ours 650; asking for
    the next message 100. Handed over: the events alone. The slack is for events that go one by one: less gathers on a
    slow machine.
    """
    assert bill.sent_bytes <= (2_200 if handed_over else 3_000) * STEPS


def test_a_step_writes_two_entries_of_the_trace_and_one_attempt(bill: Bill) -> None:
    steps = STEPS + WARM_UP
    assert bill.rows["trace"] == (2 * steps + RUNS, 0, 0)  # and the start of each run
    assert bill.rows["attempts"] == (steps, 0, 0)


def test_a_step_changes_its_row_three_times_or_twice_when_handed_over(bill: Bill, handed_over: bool) -> None:
    """Made ready, claimed and ended; made ready and claimed are one when it is handed over. Heartbeats are added."""
    inserted, updated, deleted = bill.rows["steps"]
    assert (inserted, deleted) == (STEPS + WARM_UP, 0)
    assert updated <= (2 if handed_over else 3) * inserted + BESIDE


def test_a_step_changes_the_row_of_its_run_twice_or_once_when_handed_over(bill: Bill, handed_over: bool) -> None:
    inserted, updated, deleted = bill.rows["runs"]
    assert (inserted, deleted) == (RUNS, 0)
    assert updated <= (STEPS + WARM_UP) * (1 if handed_over else 2) + BESIDE


def test_nothing_else_is_written_for_a_step(bill: Bill) -> None:
    known = {"runs", "run_documents", "steps", "step_documents", "attempts", "trace"}
    beside = {table: counts for table, counts in bill.rows.items() if table not in known}
    assert sum(sum(counts) for counts in beside.values()) <= BESIDE  # the worker's own row and its janitor's
    assert bill.rows["run_documents"] == (RUNS, 0, 0)
    assert bill.rows["step_documents"] == (STEPS + WARM_UP, 0, 0)
