from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from messaging.live import ANSWER_WITHIN_S, ASK_EVERY_S, Followed, LiveEvents, News
from messaging.reading import START
from messaging.stream import EventStream
from orchestration.errors import StreamUnavailable
from schemas.events import LogEvent

pytestmark = pytest.mark.integration


def log_line(number: int, text: str = "x") -> LogEvent:
    return LogEvent(index=0, key="a", attempt=1, offset=number, level="info", text=text)


@pytest.fixture
def stream(redis_url: str) -> Iterator[EventStream]:
    stream = EventStream(redis_url)
    yield stream
    stream.close()


@pytest.fixture
def live(redis_url: str) -> Iterator[LiveEvents]:
    live = LiveEvents(redis_url)
    live.open()
    yield live
    live.close()


def news(live: LiveEvents) -> News:
    while not isinstance(said := live.next(), News):
        pass
    return said


def test_events_of_the_runs_that_are_followed_are_told_with_their_places_and_no_others(live, stream):
    live.follow(["a", "b"])
    assert [live.next(), live.next()] == [Followed("a"), Followed("b")]
    stream.publish("other", [log_line(0)])
    stream.publish("a", [log_line(1, "two\nlines"), log_line(2)])
    assert stream.flush(5)
    stream.publish("b", [log_line(3)])
    first, second = news(live), news(live)
    assert first.entries == stream.read("a", START).entries
    assert [json.loads(entry.text)["text"] for entry in first.entries] == ["two\nlines", "x"]
    assert [entry.position.seq for entry in first.entries] == [1, 2]
    assert (second.run_id, [json.loads(entry.text)["offset"] for entry in second.entries]) == ("b", [3])

    live.leave("a")
    stream.publish("a", [log_line(4)])
    assert stream.flush(5)
    stream.publish("b", [log_line(5)])
    assert json.loads(news(live).entries[0].text)["offset"] == 5


def test_an_event_is_told_within_milliseconds(live, stream):
    live.follow(["r"])
    live.next()
    times = []
    for number in range(100):
        began = time.perf_counter()
        stream.publish("r", [log_line(number)])
        news(live)
        times.append(time.perf_counter() - began)
    assert sorted(times)[50] < 0.02


def test_a_server_that_is_killed_is_noticed_and_one_that_is_back_is_heard_again(private_valkey):
    live = LiveEvents(private_valkey.url)
    live.open()
    live.follow(["r"])
    assert live.next() == Followed("r")
    private_valkey.kill()
    with pytest.raises(StreamUnavailable):
        live.next()
    with pytest.raises(StreamUnavailable):
        live.open()
    with pytest.raises(StreamUnavailable):
        live.follow(["r"])
    private_valkey.restart()
    live.open()
    live.follow(["r"])
    assert live.next() == Followed("r")
    live.close()


@pytest.mark.slow
def test_a_connection_on_which_nothing_comes_is_given_up(private_valkey):
    live = LiveEvents(private_valkey.url)
    live.open()
    live.ask()
    assert live.next() is None, "an answer, which means nothing else"
    began = time.monotonic()
    with pytest.raises(StreamUnavailable):
        live.next()
    assert time.monotonic() - began == pytest.approx(ASK_EVERY_S + ANSWER_WITHIN_S, abs=2)
    live.close()
