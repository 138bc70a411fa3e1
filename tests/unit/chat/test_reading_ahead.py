"""Answers that are read in a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from orchestration.chat.reading_ahead import MOST_AHEAD, ReadAhead
from orchestration.models.port import Delta, OnClose

SOON_S = 20.0


def test_all_of_it_comes_in_order_also_more_than_is_read_ahead() -> None:
    said = [Delta(str(number)) for number in range(MOST_AHEAD * 3)]
    ahead = ReadAhead(lambda on_close: (delta for delta in said))
    ahead.wait_first(SOON_S)
    assert list(ahead.pieces(SOON_S)) == said


def test_an_empty_answer_ends() -> None:
    nothing: list[Delta] = []
    ahead = ReadAhead(lambda on_close: (delta for delta in nothing))
    ahead.wait_first(SOON_S)
    assert list(ahead.pieces(SOON_S)) == []


def test_what_it_raises_is_raised_to_the_reader_at_its_place() -> None:
    def broken(_on_close: OnClose) -> Generator[Delta]:
        yield Delta("one")
        raise ValueError("two")

    ahead = ReadAhead(broken)
    ahead.wait_first(SOON_S)
    pieces = ahead.pieces(SOON_S)
    assert next(pieces) == Delta("one")
    with pytest.raises(ValueError, match="two"):
        next(pieces)

    def fails(_on_close: OnClose) -> Generator[Delta]:
        raise ValueError("at once")
        yield

    with pytest.raises(ValueError, match="at once"):
        ReadAhead(fails).wait_first(SOON_S)


def test_silence_is_said_and_then_what_comes() -> None:
    go_on = threading.Event()

    def slow(_on_close: OnClose) -> Generator[Delta]:
        go_on.wait(SOON_S)
        yield Delta("late")

    ahead = ReadAhead(slow)
    ahead.wait_first(0.01)
    pieces = ahead.pieces(0.01)
    assert next(pieces) is None
    go_on.set()
    assert next(piece for piece in pieces if piece is not None) == Delta("late")


def test_closing_ends_one_that_waits_for_room_and_closes_what_it_reads() -> None:
    full, ended = threading.Event(), threading.Event()

    def endless(_on_close: OnClose) -> Generator[Delta]:
        try:
            count = 0
            while True:
                count += 1
                if count > MOST_AHEAD:
                    full.set()
                yield Delta("more")
        finally:
            ended.set()

    ahead = ReadAhead(endless)
    assert full.wait(SOON_S)
    ahead.close()
    assert ended.wait(SOON_S)
    ahead.close()


def test_what_is_opened_after_the_close_is_closed_too() -> None:
    begin, closed = threading.Event(), threading.Event()

    def late(on_close: OnClose) -> Generator[Delta]:
        begin.wait(SOON_S)
        on_close(closed.set)
        yield Delta("nobody reads it")

    ahead = ReadAhead(late)
    ahead.close()
    begin.set()
    assert closed.wait(SOON_S)
