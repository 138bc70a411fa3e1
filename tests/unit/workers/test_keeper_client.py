"""A process's line to its keeper: what it says, and what it does about what it hears."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestration.actions.context import CancelToken
from tests.support.leases import make_lease
from workers.keeper_client import KeeperClient
from workers.wire import LineBuffer, Message, encode


class FakeKeeper:
    """The other end of the line."""

    def __init__(self, directory: str) -> None:
        self.path = str(Path(directory) / "keeper")
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self.path)
        self._server.listen(1)
        self._lines = LineBuffer()
        self._heard: list[Message] = []
        self.gone = threading.Event()
        self.abandoned = threading.Event()
        self.client = KeeperClient(self.path, role="child", on_gone=self.gone.set, on_abandoned=self.abandoned.set)
        self.line, _ = self._server.accept()
        self.line.settimeout(10)

    def hear(self) -> Message:
        while not self._heard:
            self._heard += self._lines.feed(self.line.recv(65536))
        return self._heard.pop(0)

    def say(self, **message: object) -> None:
        self.line.sendall(encode(message))

    def close(self) -> None:
        self.line.close()
        self._server.close()


@pytest.fixture
def keeper() -> Iterator[FakeKeeper]:
    with TemporaryDirectory() as directory:
        fake = FakeKeeper(directory)
        assert fake.hear() == {"t": "hello", "pid": os.getpid(), "role": "child"}
        yield fake
        fake.close()


def test_nothing_is_claimed_before_somebody_watches(keeper: FakeKeeper) -> None:
    claiming = threading.Thread(target=keeper.client.claiming, args=("run-1", 0), daemon=True)
    claiming.start()
    claiming.join(0.05)
    assert claiming.is_alive()
    keeper.say(t="watching")
    claiming.join(10)
    assert keeper.hear() == {"t": "claiming", "run_id": "run-1", "position": 0}


def test_a_stop_reaches_the_attempt_it_is_for(keeper: FakeKeeper) -> None:
    stopped, other = CancelToken(), CancelToken()
    keeper.client.hold(make_lease(position=1), other, hands_over_s=0)
    held = keeper.client.hold(make_lease(), stopped, hands_over_s=0)
    keeper.say(t="cancel", held=[held.run, held.position, held.attempt], reason="stop")
    assert stopped.event.wait(10)
    assert stopped.reason == "stop"
    assert not other.event.is_set()


def test_a_closer_that_blocks_keeps_no_other_attempt_from_being_stopped(keeper: FakeKeeper) -> None:
    stuck, other, release = CancelToken(), CancelToken(), threading.Event()

    def close() -> None:
        release.wait(10)

    stuck.add_closer(close)
    for token, position in ((stuck, 0), (other, 1)):
        held = keeper.client.hold(make_lease(position=position), token, hands_over_s=0)
        keeper.say(t="cancel", held=[held.run, held.position, held.attempt], reason="stop")
    assert other.event.wait(5)
    release.set()


def test_a_stop_for_an_attempt_that_has_ended_does_nothing(keeper: FakeKeeper) -> None:
    token = CancelToken()
    held = keeper.client.hold(make_lease(), token, hands_over_s=0)
    keeper.client.drop(held)
    keeper.say(t="cancel", held=[held.run, held.position, held.attempt], reason="stop")
    keeper.say(t="draining")
    assert keeper.client.draining.wait(10)
    assert not token.event.is_set()


def test_an_abandoned_thread_and_a_keeper_that_is_gone_are_told(keeper: FakeKeeper) -> None:
    keeper.say(t="abandoned")
    assert keeper.abandoned.wait(10)
    assert not keeper.gone.is_set()
    keeper.close()
    assert keeper.gone.wait(10)


def test_who_leaves_is_not_told_that_the_keeper_is_gone(keeper: FakeKeeper) -> None:
    keeper.client.close()
    keeper.close()
    keeper.client.refused("run-1", 0)
    assert not keeper.gone.is_set()
