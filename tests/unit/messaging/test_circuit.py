from __future__ import annotations

import pytest

from messaging.circuit import Circuit, ServerAway


class Server:
    """Fails while it is away and counts who asked."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.away:
            raise ConnectionError("away")
        return "answer"


def test_after_a_failure_calls_fail_without_asking_until_the_pause_is_over():
    now = [100.0]
    server, circuit = Server(), Circuit(pause_s=1, now=lambda: now[0])
    server.away = True
    with pytest.raises(ConnectionError):
        circuit.call(server)
    for _ in range(10):
        with pytest.raises(ServerAway):
            circuit.call(server)
    assert server.asked == 1
    now[0] += 1
    server.away = False
    assert circuit.call(server) == "answer"
    assert circuit.call(server) == "answer"
    assert not circuit.is_open


def test_a_failed_trial_opens_the_pause_again():
    now = [100.0]
    server, circuit = Server(), Circuit(pause_s=1, now=lambda: now[0])
    server.away = True
    with pytest.raises(ConnectionError):
        circuit.call(server)
    now[0] += 1
    with pytest.raises(ConnectionError):
        circuit.call(server)
    with pytest.raises(ServerAway):
        circuit.call(server)
    assert server.asked == 2


def test_only_one_caller_at_a_time_tries_a_server_that_was_away():
    now = [100.0]
    server, circuit = Server(), Circuit(pause_s=1, now=lambda: now[0])
    server.away = True
    with pytest.raises(ConnectionError):
        circuit.call(server)
    now[0] += 1

    def ask_while_another_asks() -> str:
        with pytest.raises(ServerAway):
            circuit.call(server)
        return "answer of the one"

    assert circuit.call(ask_while_another_asks) == "answer of the one"
