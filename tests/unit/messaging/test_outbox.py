from __future__ import annotations

import threading

from messaging.outbox import BATCH_EVENTS, Outbox, Queued


def event(text: str, *, run_id: str = "r", replaces: str | None = None) -> Queued:
    return Queued(run_id, text, "more", replaces)


def taken(outbox: Outbox) -> list[str]:
    batch = outbox.take()
    outbox.done()
    return [queued.text for queued in batch]


def test_events_come_out_in_the_order_they_went_in():
    outbox = Outbox()
    outbox.put([event("a"), event("b")])
    outbox.put([event("c")])
    assert taken(outbox) == ["a", "b", "c"]


def test_newer_progress_takes_the_place_of_what_still_waits():
    outbox = Outbox()
    outbox.put([event("10 %", replaces="step"), event("log"), event("20 %", replaces="step")])
    assert taken(outbox) == ["20 %", "log"]
    assert outbox.coalesced == 1


def test_progress_that_was_taken_is_not_changed_any_more():
    outbox = Outbox()
    outbox.put([event("10 %", replaces="step")])
    batch = outbox.take()
    outbox.put([event("20 %", replaces="step")])
    assert [queued.text for queued in batch] == ["10 %"]
    outbox.done()
    assert taken(outbox) == ["20 %"]


def test_when_it_is_full_the_oldest_events_go_and_their_run_is_remembered():
    outbox = Outbox(max_events=3)
    outbox.put([event(str(number), run_id="old" if number < 2 else "new") for number in range(5)])
    assert outbox.dropped == 2
    assert outbox.pop_lost("old")
    assert not outbox.pop_lost("old")
    assert not outbox.pop_lost("new")
    assert taken(outbox) == ["2", "3", "4"]


def test_it_is_bounded_by_size_as_well():
    outbox = Outbox(max_bytes=25)
    outbox.put([event("0123456789"), event("0123456789"), event("abcdefghij")])
    assert taken(outbox) == ["0123456789", "abcdefghij"]


def test_what_was_put_back_comes_first_again_unless_newer_progress_has_come():
    outbox = Outbox()
    outbox.put([event("a"), event("10 %", replaces="step"), event("b")])
    batch = outbox.take()
    outbox.put([event("20 %", replaces="step")])
    outbox.put_back(batch)
    assert taken(outbox) == ["a", "b", "20 %"]


def test_putting_back_keeps_the_bound():
    outbox = Outbox(max_events=3)
    outbox.put([event("a"), event("b")])
    batch = outbox.take()
    outbox.put([event("c"), event("d")])
    outbox.put_back(batch)
    assert taken(outbox) == ["b", "c", "d"]
    assert outbox.dropped == 1


def test_a_batch_is_bounded():
    outbox = Outbox()
    outbox.put([event(str(number)) for number in range(BATCH_EVENTS + 1)])
    assert len(taken(outbox)) == BATCH_EVENTS
    assert len(taken(outbox)) == 1


def test_it_is_empty_only_when_the_batch_in_hand_is_dealt_with():
    outbox = Outbox()
    assert outbox.wait_empty(0)
    outbox.put([event("a")])
    assert not outbox.wait_empty(0)
    outbox.take()
    assert not outbox.wait_empty(0)
    outbox.done()
    assert outbox.wait_empty(0)


def test_gathering_ends_as_soon_as_something_urgent_comes():
    outbox = Outbox()
    outbox.put([event("a")])
    outbox.gather(0.01)
    gathering = threading.Thread(target=outbox.gather, args=(60,))
    gathering.start()
    outbox.put([Queued("r", "b", "more", urgent=True)])
    gathering.join(30)
    assert not gathering.is_alive()
    assert taken(outbox) == ["a", "b"]
