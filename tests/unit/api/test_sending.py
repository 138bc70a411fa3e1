"""Messages behind the answers: none is lost, none is waited for, and nothing piles up."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from api.sending import BackgroundDispatcher
from orchestration.ports import ReadyStep

PATIENCE_S = 10.0
AT_THE_END = """
from api.sending import BackgroundDispatcher
from orchestration.ports import ReadyStep

class Told:
    def send(self, steps):
        print(*(step.run_id for step in steps), flush=True)

BackgroundDispatcher(Told()).send([ReadyStep("last", 0, "noop", "q", 5)])
"""


class Broker:
    """Keeps what it is sent and on which thread; while `is_open` is not set a send waits."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.threads: set[int] = set()
        self.entered = threading.Event()
        self.is_open = threading.Event()
        self.fails = 0

    def send(self, steps: Sequence[ReadyStep]) -> None:
        self.entered.set()
        assert self.is_open.wait(PATIENCE_S)
        if self.fails:
            self.fails -= 1
            raise OSError("as asked")
        self.threads.add(threading.get_ident())
        self.sent.append([step.run_id for step in steps])


def steps(*runs: str) -> list[ReadyStep]:
    return [ReadyStep(run, 0, "noop", "q", 5) for run in runs]


def test_nobody_waits_for_a_slow_broker_and_what_waited_goes_out_together() -> None:
    broker = Broker()
    dispatcher = BackgroundDispatcher(broker)
    dispatcher.send(steps("a"))
    assert broker.entered.wait(PATIENCE_S)
    dispatcher.send(steps("b"))
    dispatcher.send(steps("c", "d"))
    assert broker.sent == []
    assert dispatcher.flush(0.01) is False
    broker.is_open.set()
    assert dispatcher.flush(PATIENCE_S)
    assert broker.sent == [["a"], ["b", "c", "d"]]
    assert threading.get_ident() not in broker.threads


def test_when_too_much_waits_the_caller_sends_by_itself() -> None:
    broker = Broker()
    dispatcher = BackgroundDispatcher(broker, max_waiting=2)
    dispatcher.send(steps("a"))
    assert broker.entered.wait(PATIENCE_S)
    dispatcher.send(steps("b", "c"))
    broker.is_open.set()
    full = Broker()
    full.is_open.set()
    held = BackgroundDispatcher(full, max_waiting=0)
    held.send(steps("d"))
    assert full.sent == [["d"]]
    assert full.threads == {threading.get_ident()}
    assert dispatcher.flush(PATIENCE_S)
    assert broker.sent == [["a"], ["b", "c"]]


def test_a_send_that_fails_does_not_end_the_sending() -> None:
    broker = Broker()
    broker.is_open.set()
    broker.fails = 1
    dispatcher = BackgroundDispatcher(broker)
    dispatcher.send(steps("a"))
    assert dispatcher.flush(PATIENCE_S)
    dispatcher.send(steps("b"))
    assert dispatcher.flush(PATIENCE_S)
    assert broker.sent == [["b"]]


def test_nothing_to_send_starts_no_thread() -> None:
    before = threading.active_count()
    BackgroundDispatcher(Broker()).send([])
    assert threading.active_count() == before


def test_a_forked_child_sends_on_a_thread_of_its_own_and_leaves_the_rest_to_its_parent() -> None:
    broker = Broker()
    dispatcher = BackgroundDispatcher(broker)
    dispatcher.send(steps("a"))
    assert broker.entered.wait(PATIENCE_S)
    dispatcher.send(steps("parent"))
    child = os.fork()
    if child == 0:
        broker.is_open.set()
        dispatcher.send(steps("child"))
        sent = dispatcher.flush(PATIENCE_S) and broker.sent == [["child"]]
        os._exit(0 if sent else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    broker.is_open.set()
    assert dispatcher.flush(PATIENCE_S)
    assert broker.sent == [["a"], ["parent"]]


def test_what_waits_goes_out_before_the_process_ends() -> None:
    done = subprocess.run([sys.executable, "-c", AT_THE_END], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["last"]
