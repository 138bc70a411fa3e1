from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import gevent
import pytest

from api.relay import message_feed
from api.relay.channel import Channel, Cursor
from api.relay.hub import Hub
from api.relay.message_feed import MessageFeed, MessageFeeds
from api.relay.message_routes import more_than
from api.relay.native import NativeThreads
from messaging.reading import Batch, Entry
from orchestration.chat.reading import Conversations
from orchestration.errors import StoreUnavailable
from schemas.events import Position


class Threads:
    """Runs what it is given here and now."""

    def run(self, work: Callable[..., Any], *values: Any) -> Any:
        return work(*values)


class Stored:
    """One message, as it is stored."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.status = "writing"
        self.edition = (1, 0)
        self.raises: BaseException | None = None
        self.hangs = False

    def message(self, message_id: str) -> dict[str, Any]:
        if self.hangs:
            gevent.sleep(3600)
        if self.raises is not None:
            raise self.raises
        attempt, edition = self.edition
        return {
            "id": message_id,
            "run_id": "r1",
            "status": self.status,
            "text": self.text,
            "text_attempt": attempt,
            "text_edition": edition,
            "step": {"key": "answer", "status": "in_progress", "attempt": attempt},
        }


class Stream:
    """The events of one run."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.channel = Channel("r1")
        self.channel.begin(Position(epoch=1, seq=0))

    def add(self, text: str) -> None:
        entry = Entry(Position(epoch=1, seq=len(self.entries) + 1), text)
        self.entries.append(entry)
        self.channel.extend(Batch((entry,), entry.position))

    @contextmanager
    def watch(self, run_id: str) -> Iterator[Channel]:
        del run_id
        yield self.channel

    def tail_back(self, run_id: str, before: Position | None, count: int) -> tuple[Entry, ...]:
        del run_id
        return tuple(e for e in reversed(self.entries) if before is None or e.position.seq < before.seq)[:count]

    def cursor(self, channel: Channel, after: Position | None) -> Cursor:
        return Cursor(channel, self._read, after)

    def _read(self, run_id: str, after: Position, count: int) -> Batch:
        del run_id
        found = tuple(entry for entry in self.entries if entry.position.seq > after.seq)[:count]
        return Batch(found, found[-1].position if found else after)


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def feeds(stored: Stored, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> MessageFeeds:
    monkeypatch.setattr(message_feed, "AWAY_S", 0.01)
    return MessageFeeds(cast(Hub, stream), cast(Conversations, stored), cast(NativeThreads, Threads()))


def wait_until(feed: MessageFeed, is_so: Callable[[], bool]) -> None:
    with gevent.Timeout(20):
        while True:
            changed = feed.changed
            if is_so():
                return
            changed.wait()


def piece(offset: int, text: str) -> str:
    return f'{{"type":"text","key":"answer","attempt":1,"offset":{offset},"text":"{text}","edition":0}}'


def test_an_event_that_cannot_be_taken_does_not_end_the_following(feeds, stored, stream):
    stream.add(piece(0, "Once "))
    with feeds.watch("m1", run_id="r1") as feed:
        wait_until(feed, lambda: feed.text.text == "Once ")
        stream.add('{"type":"text","attempt":1')
        # What is stored is told, and its end, though that event is there whenever the stream is read.
        stored.text = "Once upon "
        wait_until(feed, lambda: feed.text.text == "Once upon ")
        stored.text, stored.status = "Once upon a time", "completed"
        wait_until(feed, lambda: feed.is_ended)
        assert feed.text.text == "Once upon a time"
        assert feed.snapshot()["status"] == "completed"


def test_a_read_that_fails_in_an_unknown_way_is_made_again(feeds, stored, stream):
    stream.add(piece(0, "Once "))
    stored.raises = ValueError("odd")
    with gevent.Timeout(20):
        gevent.spawn_later(0.05, setattr, stored, "raises", None)
        with feeds.watch("m1", run_id="r1") as feed:
            wait_until(feed, lambda: feed.text.text == "Once ")


def test_readers_are_told_when_nobody_follows_any_more(feeds, stored, stream):
    stream.add(piece(0, "Once "))
    with feeds.watch("m1", run_id="r1") as feed:
        feed.check_there()
        changed = feed.changed
        gevent.spawn(feed.stop)
        assert changed.wait(20)
        with pytest.raises(StoreUnavailable, match="followed"):
            feed.check_there()
        # Who comes now is told by another one.
        with feeds.watch("m1", run_id="r1") as other:
            assert other is not feed
            wait_until(other, lambda: other.text.text == "Once ")


def test_nobody_waits_for_ever_for_a_message_to_be_read(feeds, stored, monkeypatch):
    monkeypatch.setattr(message_feed, "KNOWN_S", 0.05)
    stored.hangs = True
    with gevent.Timeout(20), pytest.raises(StoreUnavailable, match="in time"), feeds.watch("m1", run_id="r1"):
        pass
    assert feeds.followed == 0


def test_who_has_more_characters_than_are_here_waits_until_there_are_still_more(feeds, stream):
    stream.add(piece(0, "Once "))
    with feeds.watch("m1", run_id="r1") as feed:
        wait_until(feed, lambda: feed.text.text == "Once ")
        has_more = more_than(feed, 9)
        assert not has_more()
        stream.add(piece(5, "upon"))
        wait_until(feed, lambda: feed.text.text == "Once upon")
        assert not has_more()
        stream.add(piece(9, " a"))
        wait_until(feed, lambda: feed.text.text == "Once upon a")
        assert has_more()
        assert more_than(feed, 0)()


def test_who_waits_by_a_number_of_characters_is_told_that_the_text_was_replaced(feeds, stream):
    stream.add(piece(0, "Once upon a time"))
    with feeds.watch("m1", run_id="r1") as feed:
        wait_until(feed, lambda: feed.text.text == "Once upon a time")
        has_more = more_than(feed, 16)
        assert not has_more()
        stream.add(piece(0, "There was").replace('"edition":0', '"edition":1'))
        wait_until(feed, lambda: feed.text.text == "There was")
        assert has_more()
        # Who had the text before and asks only now, too; who has this one waits.
        assert more_than(feed, 16)()
        assert not more_than(feed, 9)()


def test_readers_are_told_that_a_model_thinks(feeds, stored, stream):
    stored.text = ""
    with feeds.watch("m1", run_id="r1") as feed:
        place = feed.text.end()
        for attempt in (0, 1):  # of a worker that was given up, and of the one at work
            thinks = f'"attempt":{attempt},"progress":{{"type":"simple","message":"Thinking {attempt}"}}'
            stream.add(f'{{"type":"progress","index":0,"key":"answer",{thinks}}}')
        wait_until(feed, lambda: feed.text.end().turn > place.turn)
        told = feed.text.take(place)
        assert [(name, json.loads(text)["doing"]) for name, text in told.news] == [("step", "Thinking 1")]
        assert feed.snapshot()["step"]["doing"] == "Thinking 1"
