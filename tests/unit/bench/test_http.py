from __future__ import annotations

import socket
import threading

import pytest

from bench.http_cases import CASES
from bench.http_load import Figures, Job, request_text, run


@pytest.fixture
def server() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def answer_all(server: socket.socket, answers: list[bytes]) -> None:
    """Answer requests of one connection, each in two pieces."""
    connection, _ = server.accept()
    with connection:
        for answer in answers:
            assert connection.recv(4096).endswith(b"\r\n\r\n")
            connection.sendall(answer[:25])
            connection.sendall(answer[25:])


def test_the_client_counts_whole_answers_by_status(server: socket.socket) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    known = b"HTTP/1.1 304 NOT MODIFIED\r\nETag: x\r\n\r\n"
    thread = threading.Thread(target=answer_all, args=(server, [whole, known, whole, whole]))
    thread.start()
    figures = run(Job(server.getsockname()[1], [request_text("GET", "/")], count=3, warm_up=1))
    thread.join(10)
    server.close()
    assert (figures.answers, figures.statuses) == (3, {"304": 1, "200": 2})
    assert figures.answer_bytes == len(known) + 2 * len(whole)
    assert len(figures.latencies) == 3


def test_a_ratio_is_to_the_bare_answers_around_it() -> None:
    found = {
        name: Figures(answers=rate, seconds=1.0)
        for name, rate in {"bare": 100, "304": 90, "bare_between": 200, "state": 60, "bare_after": 100}.items()
    }
    by_name = {case.name: case for case in CASES}
    assert by_name["304_ratio"].value(found) == pytest.approx(0.6)
    assert by_name["state_ratio"].value(found) == pytest.approx(0.4)
    assert by_name["304_ratio"].is_met(0.6) is False
    assert by_name["state_ratio"].is_met(0.4) is True
    assert by_name["start_beyond"].is_met(2.9) is True
    assert by_name["start_long"].is_met(1200) is False
    assert by_name["list"].is_met(1) is None
