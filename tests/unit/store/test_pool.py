"""Connections kept between calls, lent to one thread at a time."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from orchestration.errors import StoreUnavailable
from orchestration.store.pool import Connection, Pool


class Opened:
    """What stands for a connection: it can be closed."""

    closed = 0

    def close(self) -> None:
        self.closed = 1


class Server:
    def __init__(self) -> None:
        self.opened: list[Opened] = []
        self.away = False

    def connect(self) -> Connection:
        if self.away:
            raise StoreUnavailable("away")
        self.opened.append(Opened())
        return cast(Connection, self.opened[-1])


def pool_of(server: Server, *, size: int = 1, most: int = 2, timeout_s: float = 0.0) -> Pool:
    return Pool(server.connect, size=size, most=most, timeout_s=timeout_s)


def test_nothing_is_opened_before_it_is_asked_for_and_what_was_given_back_is_lent_again() -> None:
    server = Server()
    pool = pool_of(server)
    assert server.opened == []
    for _ in range(3):
        pool.take().give_back()
    assert len(server.opened) == 1


def test_what_is_more_than_is_kept_is_closed_when_it_comes_back() -> None:
    server = Server()
    pool = pool_of(server, size=1, most=2)
    first, second = pool.take(), pool.take()
    first.give_back()
    second.give_back()
    assert [connection.closed for connection in server.opened] == [0, 1]


def test_a_closed_connection_is_not_lent_again() -> None:
    server = Server()
    pool = pool_of(server)
    lent = pool.take()
    lent.connection.close()
    lent.give_back()
    assert pool.take().connection is cast(object, server.opened[1])


def test_who_finds_none_free_is_refused_after_a_while_and_served_when_one_comes_back() -> None:
    server = Server()
    pool = pool_of(server, size=1, most=1)
    lent = pool.take()
    with pytest.raises(StoreUnavailable, match="all connections"):
        pool.take()
    lent.give_back()
    lent.give_back()
    kept = pool.take()
    with pytest.raises(StoreUnavailable):
        pool.take()
    del kept


def test_who_waits_gets_the_connection_that_another_thread_gives_back() -> None:
    server = Server()
    pool = pool_of(server, size=1, most=1, timeout_s=30)
    lent, got = pool.take(), threading.Event()

    def wait() -> None:
        pool.take().give_back()
        got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.is_set()
    lent.give_back()
    assert got.wait(30)
    waiting.join()
    assert len(server.opened) == 1


def test_the_connection_of_a_thread_that_ended_is_lent_again() -> None:
    server = Server()
    pool, local = pool_of(server, size=1, most=1), threading.local()

    def keep() -> None:
        local.lent = pool.take()

    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    pool.take()
    assert len(server.opened) == 1


def test_a_server_that_is_away_uses_up_no_place() -> None:
    server = Server()
    pool = pool_of(server, size=1, most=1)
    server.away = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="away"):
            pool.take()
    server.away = False
    pool.take()


def test_close_closes_what_is_kept_and_the_pool_goes_on() -> None:
    server = Server()
    pool = pool_of(server)
    pool.take().give_back()
    pool.close()
    assert server.opened[0].closed
    pool.take().give_back()
    assert len(server.opened) == 2
