from __future__ import annotations

import gevent
import pytest

from api.relay.channel import BATCH_EVENTS, KEPT_BYTES, Channel, Cursor
from messaging.reading import Batch, Entry
from orchestration.errors import StreamUnavailable
from schemas.events import LogEvent, Position, RunEvent
from schemas.statuses import RunStatus

EPOCH = 1000


def place(seq: int, epoch: int = EPOCH) -> Position:
    return Position(epoch=epoch, seq=seq)


def batch(first: int, last: int, *, epoch: int = EPOCH, text: str = "{}") -> Batch:
    entries = tuple(Entry(place(seq, epoch), text) for seq in range(first, last + 1))
    return Batch(entries, place(last, epoch))


def channel(head: Position | None = None) -> Channel:
    made = Channel("r")
    made.begin(head or place(0, 0))
    return made


def from_stream(*batches: Batch):
    """What reads of the stream itself answer, one after the other."""
    answers = iter(batches)
    return lambda _run_id, _after, _count: next(answers)


def unread(_run_id: str, after: Position, _count: int) -> Batch:
    raise AssertionError(f"the stream was read after {after}, but what comes there is at hand")


def seqs(found: Batch | None) -> list[int]:
    assert found is not None
    return [entry.position.seq for entry in found.entries]


def test_a_reader_at_the_end_is_given_what_comes_without_reading_the_stream():
    run = channel()
    cursor = Cursor(run, unread, None)
    assert cursor.next(0) is None
    gevent.spawn(run.extend, batch(1, 3))
    assert seqs(cursor.next(5)) == [1, 2, 3]
    run.extend(batch(4, 4))
    assert seqs(cursor.next(0)) == [4]
    assert cursor.next(0) is None


def test_a_reader_from_before_reads_the_stream_until_it_meets_what_is_kept():
    run = channel(place(50))
    run.extend(batch(51, 60))
    cursor = Cursor(run, from_stream(batch(11, 40), batch(41, 50)), place(10))
    assert seqs(cursor.next(0)) == list(range(11, 41))
    assert seqs(cursor.next(0)) == list(range(41, 51))
    assert seqs(cursor.next(0)) == list(range(51, 61))
    assert cursor.next(0) is None


def test_a_reader_that_has_read_ahead_of_the_shared_loop_gets_nothing_twice():
    run = channel(place(5))
    cursor = Cursor(run, from_stream(batch(5, 9)), place(4))
    assert seqs(cursor.next(0)) == [5, 6, 7, 8, 9]
    assert cursor.next(0) is None
    run.extend(batch(6, 11))
    assert seqs(cursor.next(0)) == [10, 11]


def test_a_new_epoch_is_told_once_and_followed():
    run = channel(place(5))
    cursor = Cursor(run, from_stream(Batch((), place(2, 2000), truncated=True)), None)
    run.extend(Batch((), place(2, 2000), truncated=True))
    found = cursor.next(0)
    assert found is not None
    assert found.truncated
    assert cursor.next(0) is None
    run.extend(batch(3, 4, epoch=2000))
    assert seqs(cursor.next(0)) == [3, 4]


def test_who_came_while_the_stream_could_not_be_read_is_told_that_something_may_be_missing():
    run = Channel("r")
    cursor = Cursor(run, unread, None)
    assert cursor.next(0) is None
    run.begin(place(7))
    assert cursor.next(0) == Batch((), place(7), truncated=True)
    assert cursor.next(0) is None


def test_a_stream_that_cannot_be_read_just_now_is_waited_for():
    def away(_run_id: str, _after: Position, _count: int) -> Batch:
        raise StreamUnavailable("away")

    assert Cursor(channel(place(9)), away, place(1)).next(0) is None


def test_batches_are_bounded_in_number_and_in_size():
    run = channel()
    run.extend(batch(1, 250))
    cursor = Cursor(run, unread, place(0, 0))
    assert len(seqs(cursor.next(0))) == BATCH_EVENTS
    run.extend(batch(251, 255, text="x" * 100_000))
    cursor = Cursor(run, unread, place(250))
    assert seqs(cursor.next(0)) == [251, 252]
    assert seqs(cursor.next(0)) == [253, 254]


@pytest.mark.parametrize("text", ["{}", "x" * 50_000])
def test_what_is_kept_is_bounded(text):
    run = channel()
    for first in range(1, 5000, 50):
        run.extend(batch(first, first + 49, text=text))
    assert run.after(place(1)) is None
    assert run.head is not None
    assert len(run._kept) <= 1000
    assert sum(len(entry.text) for entry in run._kept) <= KEPT_BYTES


def test_a_line_of_a_log_does_not_send_anybody_to_read_the_state():
    run = channel()
    line = LogEvent(index=0, key="a", attempt=1, offset=0, level="info", text="x").model_dump_json()
    moved = RunEvent(version=2, status=RunStatus.RUNNING, total=2, completed=1, failed=0, skipped=0).model_dump_json()
    changed, altered = run.changed, run.altered
    run.extend(batch(1, 3, text=line))
    assert (changed.is_set(), altered.is_set()) == (True, False)
    run.extend(Batch((Entry(place(4), line), Entry(place(5), moved)), place(5)))
    assert altered.is_set()
    altered = run.altered
    # What was lost may have been anything.
    run.extend(Batch((), place(9), truncated=True))
    assert altered.is_set()
