"""The keeper on a real database: what it hears, what it ends, and what it leaves alone."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from messaging.reading import START, StreamReader
from orchestration.core.decide import Succeeded
from orchestration.engine.leases import Lease
from tests.conftest import Eventually
from tests.support.engine import ALICE, Harness
from workers.keeper import Keeper
from workers.session import WorkerSession
from workers.wire import LineBuffer, Message, encode


class Process:
    """A process of the worker, as its keeper sees it: no process at all, so that nothing can be killed."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self._lines = LineBuffer()
        self._heard: list[Message] = []

    def say(self, **message: Any) -> None:
        self.socket.sendall(encode(message))

    def hold(
        self, lease: Lease, *, timeout_s: float = 60, may_repeat: bool = True, hands_over_s: float = 0.0, **more: Any
    ) -> None:
        held = [lease.run, lease.position, lease.attempt]
        said = {"timeout_s": timeout_s, "may_repeat": may_repeat, "hands_over_s": hands_over_s}
        self.say(t="hold", run_id=lease.run_id, held=held, **said, **more)

    def hear(self) -> Message:
        while not self._heard:
            self._heard += self._lines.feed(self.socket.recv(65536))
        return self._heard.pop(0)

    def die(self) -> None:
        self.socket.close()


def listen_at(path: str) -> int:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(8)
    return listener.detach()


MakeKeeper = Callable[..., tuple[Keeper, Callable[[], Process]]]


@pytest.fixture
def make_keeper(database_url: str, redis_url: str) -> Iterator[MakeKeeper]:
    made: list[tuple[Keeper, threading.Thread, list[Process]]] = []

    def make(**changes: Any) -> tuple[Keeper, Callable[[], Process]]:
        directory = Path(tempfile.mkdtemp(dir="/tmp", prefix="perdure-test-"))  # socket paths are short
        path = str(directory / "keeper")
        settings: Message = {
            "owner": "w1",
            "pid": os.getppid(),
            "name": "w",
            "listener": listen_at(path),
            "database_url": database_url,
            "redis_url": redis_url,
            "lease_s": 15.0,
            "heartbeat_s": 60.0,
            "stop_grace_s": 30.0,
        }
        keeper = Keeper(settings | changes)
        thread = threading.Thread(target=keeper.run, daemon=True)
        thread.start()
        processes: list[Process] = []
        made.append((keeper, thread, processes))

        def connect() -> Process:
            processes.append(Process(path))
            return processes[-1]

        return keeper, connect

    yield make
    for keeper, thread, processes in made:
        keeper.main_pid = -1
        for process in processes:
            process.die()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if keeper.path.exists():
            connection.connect(str(keeper.path))
        connection.close()
        thread.join(10)
        assert not thread.is_alive()
        assert not keeper.path.parent.exists(), "it tidies up behind itself"


def session_of(engine: Harness) -> int | None:
    """The backend of the keeper's session once it has its lock, which it takes last."""
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    pid: int | None = engine.database.call(held)
    return pid


def wait_for_a_look(engine: Harness, process: Process, eventually: Eventually) -> None:
    """What is said later is settled later: once this claim is given back, all said before it was looked at."""
    run = engine.start({"key": "a"})
    engine.claim(run, 0)
    process.say(t="unheard", run_id=run.run_id, position=0)
    eventually(lambda: engine.step(run, 0)["status"] == "ready")


def test_the_death_of_a_process_is_told_to_whoever_watches(
    engine: Harness, make_keeper: MakeKeeper, redis_url: str, eventually: Eventually
) -> None:
    _, connect = make_keeper()
    process = connect()
    process.say(t="hello", pid=os.getpid(), role="child")
    run = engine.start({"key": "a"})
    process.hold(engine.claim(run, 0))
    reader = StreamReader(redis_url)
    process.die()
    told = eventually(lambda: reader.read(run.run_id, START).entries)
    event = json.loads(told[0].text)
    assert (event["type"], event["key"], event["status"], event["attempt"]) == ("step", "a", "ready", 1)
    assert engine.step(run, 0)["status"] == "ready"
    reader.close()


def test_valkey_away_keeps_no_end_from_being_written(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    _, connect = make_keeper(redis_url="redis://127.0.0.1:1/0")
    process = connect()
    run = engine.start({"key": "a"})
    process.hold(engine.claim(run, 0))
    process.die()
    eventually(lambda: engine.step(run, 0)["status"] == "ready")


def test_a_stop_is_heard_at_once_also_after_the_session_was_lost(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    keeper, connect = make_keeper()
    process = connect()
    first, opened = eventually(lambda: session_of(engine)), time.monotonic()
    # Old enough to be replaced in the same turn, so that the new connection gets the old one's descriptor.
    eventually(lambda: time.monotonic() > opened + 0.4)
    engine.database.call("SELECT pg_terminate_backend(%s)", first)
    eventually(lambda: session_of(engine) not in (None, first))
    run = engine.start({"key": "a"})
    process.hold(engine.claim(run, 0))
    eventually(lambda: keeper.clients and any(client.watches for client in keeper.clients.values()))
    engine.runs.stop(run.run_id, ALICE)
    assert process.hear()["reason"] == "stop"


def test_a_deadline_that_comes_nearer_holds_and_one_that_goes_farther_does_not(
    engine: Harness, make_keeper: MakeKeeper
) -> None:
    _, connect = make_keeper()
    process = connect()
    run = engine.start({"key": "near", "needs": []}, {"key": "far", "needs": []})
    for position, (timeout_s, limit_s) in enumerate([(60, 0.1), (0.1, 60)]):
        lease = engine.claim(run, position)
        held = [lease.run, lease.position, lease.attempt]
        process.hold(lease, timeout_s=timeout_s)
        process.say(t="limit", held=held, seconds=limit_s)
        assert process.hear() == {"t": "cancel", "held": held, "reason": "timeout"}


def test_a_process_that_ends_before_the_answer_to_its_claim_gives_the_step_back(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    _, connect = make_keeper()
    process = connect()
    run = engine.start({"key": "a"})
    process.say(t="claiming", run_id=run.run_id, position=0)
    engine.claim(run, 0)
    process.die()
    eventually(lambda: engine.step(run, 0)["status"] == "ready")
    assert engine.database.call("SELECT outcome FROM attempts") == "handed_back"


def test_a_claim_that_one_process_never_heard_of_is_not_confused_with_anothers(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    _, connect = make_keeper()
    unlucky, lucky = connect(), connect()
    run = engine.start({"key": "a"})
    for process in (unlucky, lucky):
        process.say(t="claiming", run_id=run.run_id, position=0)
    lucky.hold(engine.claim(run, 0))
    unlucky.say(t="unheard", run_id=run.run_id, position=0)
    wait_for_a_look(engine, unlucky, eventually)
    assert engine.step(run, 0)["status"] == "in_progress"


def test_a_step_that_was_handed_over_to_a_process_that_died_is_given_back(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    _, connect = make_keeper()
    process = connect()
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    process.hold(lease, hands_over_s=60)
    assert engine.attempts.commit(lease, Succeeded({}), hand_over=True).next is not None
    process.die()
    eventually(lambda: engine.step(run, 1)["status"] == "ready")
    assert engine.database.rows("SELECT position, outcome FROM attempts ORDER BY position") == [
        (0, "completed"),
        (1, "handed_back"),
    ]


def test_a_step_that_was_handed_over_and_begun_is_lost_with_its_process(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    keeper, connect = make_keeper()
    process = connect()
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    process.hold(lease, hands_over_s=60)
    following = engine.attempts.commit(lease, Succeeded({}), hand_over=True).next
    assert following is not None
    process.hold(following, hands_over_s=60, drop=[lease.run, 0, lease.attempt])
    eventually(
        lambda: [watch.held.position for client in keeper.clients.values() for watch in client.watches.values()] == [1]
    )
    process.die()
    eventually(lambda: engine.step(run, 1)["status"] == "ready")
    assert engine.database.call("SELECT outcome FROM attempts WHERE position = 1") == "lost"


def test_a_step_that_another_process_may_have_been_handed_is_left_until_that_is_known(
    engine: Harness, make_keeper: MakeKeeper, eventually: Eventually
) -> None:
    _, connect = make_keeper()
    unlucky, other = connect(), connect()
    run = engine.start({"key": "a"}, {"key": "b"})
    lease = engine.claim(run, 0)
    other.hold(lease, hands_over_s=60)
    following = engine.attempts.commit(lease, Succeeded({}), hand_over=True).next
    assert following is not None
    unlucky.say(t="unheard", run_id=run.run_id, position=None)
    wait_for_a_look(engine, unlucky, eventually)
    assert engine.step(run, 1)["status"] == "in_progress", "not touched while it may be on its way"
    other.hold(following, drop=[lease.run, 0, lease.attempt])
    # The look that was put off finds it known.
    wait_for_a_look(engine, unlucky, eventually)
    assert engine.step(run, 1)["status"] == "in_progress"


def test_a_process_that_comes_during_a_drain_is_told(make_keeper: MakeKeeper) -> None:
    _, connect = make_keeper()
    first = connect()
    first.say(t="drain", seconds=3600)
    assert first.hear() == {"t": "draining"}
    late = connect()
    late.say(t="hello", pid=0, role="child")
    assert [late.hear(), late.hear()] == [{"t": "watching"}, {"t": "draining"}]


def test_a_second_request_to_end_does_not_put_off_the_first(engine: Harness, make_keeper: MakeKeeper) -> None:
    keeper, connect = make_keeper()
    process = connect()
    process.say(t="drain", seconds=3600)
    process.hear()
    at = keeper.drain_at
    process.say(t="drain", seconds=7200)
    process.say(t="hello", pid=0, role="child")
    process.hear()
    assert keeper.drain_at == at


def test_a_keeper_whose_worker_is_gone_already_ends(make_keeper: MakeKeeper, eventually: Eventually) -> None:
    keeper, _ = make_keeper(pid=2**22 + 1)
    eventually(lambda: not keeper.path.exists())


def test_a_session_takes_its_lock_from_a_session_that_it_lost(
    engine: Harness, database_url: str, eventually: Eventually
) -> None:
    lost = WorkerSession(database_url, "w1", "w", os.getpid())
    lost.ensure()
    session = WorkerSession(database_url, "w1", "w", os.getpid())
    holders = "SELECT array_agg(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
    assert lost.connection is not None

    def has_lock() -> bool:
        session.ensure()
        return session.connection is not None and engine.database.call(holders) == [session.connection.info.backend_pid]

    eventually(has_lock)
    lost.drop()
    session.close()
