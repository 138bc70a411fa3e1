"""What an attempt emits: at once to the events, gathered to the store, bounded, without secrets."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.redaction import Redactor
from schemas.events import ProgressEvent
from schemas.progress import Item, Progress
from tests.support.leases import Events, Store, make_emitter
from workers import emitter as emitting
from workers.emitter import LOG_FULL, MAX_LOG_PIECE, Flusher

SECRET = "hunter2-and-more"


def test_progress_is_published_each_time_and_stored_once_a_flush() -> None:
    store, events = Store(), Events()
    emitter = make_emitter(store, events)
    for percent in (1.0, 2.0, 3.0):
        emitter.progress(Progress(type="percentage", percent=percent))
    emitter.flush()
    assert len(events.published) == 3
    assert [document["percent"] for document in store.progress] == [3.0]


def test_nothing_gathered_is_nothing_written() -> None:
    store = Store()
    make_emitter(store).close()
    assert store.writes == 0


def test_progress_that_is_too_large_is_cut_to_what_matters_and_says_so() -> None:
    events = Events()
    emitter = make_emitter(Store(), events)
    items = [Item(id=str(n), label="x" * 200) for n in range(200)]
    emitter.progress(Progress(type="checklist", percent=40.0, message="half", items=items))
    (event,) = events.published
    assert isinstance(event, ProgressEvent)
    assert event.progress == {"type": "checklist", "percent": 40.0, "message": "half", "cut": True}


@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_a_secret_is_redacted_wherever_the_pieces_of_log_are_cut(text: str, cuts: list[int]) -> None:
    whole = f"{text}{SECRET}{text}"
    store, events = Store(), Events()
    emitter = make_emitter(store, events, Redactor([SECRET]))
    places = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    for start, end in itertools.pairwise(places):
        emitter.log(whole[start:end], "info")
    emitter.close()
    assert SECRET not in store.log_text
    assert store.log_text == events.log_text


def test_a_secret_is_found_although_another_level_is_written_in_between() -> None:
    store = Store()
    emitter = make_emitter(store, redactor=Redactor([SECRET]))
    emitter.log(SECRET[:7], "info")
    emitter.log("a warning\n", "warning")
    emitter.log(SECRET[7:], "info")
    emitter.close()
    assert SECRET[7:] not in store.log_text
    assert ("warning", "a warning\n") in [(level, text) for _, level, text in store.log]


def test_a_long_text_is_cut_into_pieces_with_offsets_that_add_up() -> None:
    store = Store()
    emitter = make_emitter(store)
    emitter.log("x" * (2 * MAX_LOG_PIECE + 10), "info")
    emitter.close()
    assert len(store.log_text) == 2 * MAX_LOG_PIECE + 10
    ends = [offset + len(text) for offset, _, text in store.log]
    assert [offset for offset, _, _ in store.log] == [0, *ends[:-1]]


@pytest.mark.parametrize("stored", [True, False])
def test_what_is_over_the_limit_is_dropped_with_one_notice(stored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not stored:
        monkeypatch.setattr(emitting, "MAX_WAITING_LOG", 100)
    events = Events()
    emitter = make_emitter(Store(limit=100), events)
    for _ in range(5):
        emitter.log("y" * 60 + "\n", "info")
        if stored:
            emitter.flush()
    assert events.log_text.count(LOG_FULL) == 1
    assert events.log_text.endswith(LOG_FULL)


def test_what_was_gathered_in_an_outage_is_written_after_it() -> None:
    store = Store()
    emitter = make_emitter(store)
    store.away = True
    emitter.log("first\n", "info")
    emitter.progress(Progress(type="percentage", percent=1.0))
    emitter.flush()
    emitter.log("second\n", "info")
    store.away = False
    emitter.close()
    assert store.log_text == "first\nsecond\n"
    assert [document["percent"] for document in store.progress] == [1.0]


def test_newer_progress_is_not_replaced_by_what_could_not_be_written() -> None:
    store = Store()
    emitter = make_emitter(store)
    store.away = True
    emitter.progress(Progress(type="percentage", percent=1.0))
    store.open.clear()
    flush = threading.Thread(target=emitter.flush)
    flush.start()
    assert store.entered.wait(10)
    emitter.progress(Progress(type="percentage", percent=2.0))
    store.open.set()
    flush.join()
    store.away = False
    emitter.close()
    assert [document["percent"] for document in store.progress] == [2.0]


def test_close_waits_for_what_the_flusher_is_just_writing() -> None:
    store = Store()
    emitter = make_emitter(store)
    emitter.log("the last line\n", "info")
    store.open.clear()
    flush = threading.Thread(target=emitter.flush)
    flush.start()
    assert store.entered.wait(10)
    closing = threading.Thread(target=emitter.close)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive(), "the attempt would end before its last line is stored"
    store.open.set()
    closing.join(10)
    flush.join(10)
    assert store.log_text == "the last line\n"


def test_a_flusher_writes_within_its_interval_and_outlives_an_outage() -> None:
    store = Store()
    emitter = make_emitter(store)
    emitter.flusher = Flusher(0.01)
    store.away = True
    emitter.log("line\n", "info")
    assert store.entered.wait(10)
    store.away = False
    store.entered.clear()
    assert store.entered.wait(10)
    emitter.close()
    assert store.log_text == "line\n"
