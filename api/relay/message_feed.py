"""Messages that are being written: each followed once for all who read it, from what is stored and from its events."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import gevent
from gevent.event import Event

from api.relay.channel import Channel
from api.relay.greenlets import spawn_vital
from api.relay.hub import Hub
from api.relay.message_text import Edition, MessageText, Place
from api.relay.native import NativeThreads
from messaging.reading import START, Entry
from orchestration.chat.reading import Conversations
from orchestration.chat.snapshots import FIRST_PAGE, PAGE, Growing, backwards, catch_up
from orchestration.errors import StoreUnavailable, StreamUnavailable, UnknownMessage
from schemas.chat import MessageStatus
from schemas.events import EventType, Position
from schemas.json import JsonObject
from schemas.statuses import RunStatus, StepStatus

log = logging.getLogger(__name__)

# Without events the database is looked at, since an event can be lost: soon at first, then less often.
LOOK_AGAIN_S = 2.0
LOOK_AT_MOST_S = 5.0
# What is missing between the stored text and the events is stored within two seconds.
GAP_S = 0.25
AWAY_S = 1.0
FIND_STREAM_S = 1.0
# How long a reader waits for the first look at the message.
KNOWN_S = 15.0
# Of how many events it is kept where they changed the text, for readers who come back.
KEPT_MARKS = 5000
# How many events are read for one who comes back from further behind; beyond, it is told the whole text.
EVENTS_BACK = 2000
# Readers are told so often in any case: they wait without a limit.
TELL_EVERY_S = 5.0
# How events begin, see schemas/events.py; others are not parsed.
_KINDS = (EventType.TEXT, EventType.STEP, EventType.PROGRESS, EventType.NOTICE, EventType.RUN)
KINDS = tuple(f'{{"type":"{kind}"' for kind in _KINDS)


class MessageFeed:
    """One message, followed while somebody reads it and while it is written.

    `position` is the place in the run's stream up to which `text` holds all; None: not known.
    """

    def __init__(
        self, message_id: str, run_id: str | None, hub: Hub, conversations: Conversations, threads: NativeThreads
    ) -> None:
        """`run_id` None: to be looked up."""
        self.message_id = message_id
        self.watchers = 0
        self.text = MessageText()
        self.position: Position | None = None
        self.is_ended = False
        # Set once and then replaced, like a channel's; at least every few seconds, also where nothing changed.
        self.changed = Event()
        self._run_id = run_id
        self._hub = hub
        self._conversations = conversations
        self._threads = threads
        self._message: JsonObject | None = None
        self._error: UnknownMessage | StoreUnavailable | None = None
        self._key = ""
        self._is_whole = False
        self._step_ended = False
        # Sequence numbers of the events behind `_began`, and the offsets from which they changed the text.
        self._began: Position | None = None
        self._marks: deque[tuple[int, int]] = deque(maxlen=KEPT_MARKS)
        self._greenlet = gevent.spawn(self._run)
        # Whatever ended it, who waits is to look.
        self._greenlet.link(lambda _: self.tell())

    def wait_known(self) -> None:
        """Wait until the message was read. Raises: UnknownMessage; StoreUnavailable, also where that takes long."""
        deadline = monotonic() + KNOWN_S
        while self._message is None:
            if self._error is not None:
                raise self._error
            self.check_there()
            left = deadline - monotonic()
            if left <= 0:
                raise StoreUnavailable("the message could not be read in time")
            self.changed.wait(left)
        self.check_there()

    def check_there(self) -> None:
        """Raises: UnknownMessage when the message was deleted meanwhile; StoreUnavailable when nobody follows it."""
        if isinstance(self._error, UnknownMessage):
            raise self._error
        if self.is_lost:
            raise StoreUnavailable("the message is not followed any more")

    @property
    def is_lost(self) -> bool:
        """Whether what followed it is gone before the message had ended."""
        return self._greenlet.dead and not self.is_ended

    def snapshot(self) -> JsonObject:
        """The message as it is now; `wait_known` comes first."""
        message = dict(self._message or {})
        if not self.is_ended:
            place = None if self.position is None else str(self.position)
            message |= {"text": self.text.text, "position": place}
        return message

    def place_after(self, position: Position) -> Place | None:
        """The place of a reader who has read up to a position. None: what came since is not known any more.

        Such a reader has what its text and the one at hand have in common: all before the lowest offset since.
        """
        ours, began = self.position, self._began
        if ours is None or began is None or position.epoch != ours.epoch or position.seq > ours.seq:
            return None
        earlier = self._offsets(position, began) if position.seq < began.seq else []
        if earlier is None or self._began is not began:
            return None
        place = self.text.end()
        later = [offset for seq, offset in self._marks if seq > position.seq]
        place.length = min([place.length, *earlier, *later])
        return place

    def place_at(self, length: int) -> Place | None:
        """The place of a reader who has so many characters. None: there are not so many, or they may be others."""
        end = self.text.end()
        is_same = length == 0 or self.text.is_first
        return Place(length, end.turn) if is_same and length <= end.length else None

    def stop(self) -> None:
        """Follow it no more."""
        self._greenlet.kill(block=False)

    def _run(self) -> None:
        failed = False
        while not self.is_ended:
            try:
                if failed:
                    # It may be an event that cannot be taken, and it is still there: what is stored is read by itself.
                    self._look_at_stored()
                if not self.is_ended:
                    self._follow_run()
                return
            except Exception:
                # Once: what is odd about it will be as odd a second later.
                log.log(logging.DEBUG if failed else logging.ERROR, "a message is looked at again", exc_info=True)
                failed, self._is_whole = True, False
                gevent.sleep(AWAY_S)

    def _look_at_stored(self) -> None:
        stored = self._read()
        if stored is None:
            return
        if stored["status"] != MessageStatus.WRITING:
            self._end(stored, None)
            return
        self._message = stored
        self.text.become(stored["text"], _edition(stored))
        self._begin(None)
        self.tell()

    def _follow_run(self) -> None:
        """Follow it until it has ended, or is not there."""
        run_id = self._run_id
        while run_id is None:
            stored = self._read()
            if stored is not None:
                run_id = self._run_id = stored["run_id"]
                if run_id is None:  # no run was ever asked
                    self._end(stored, None)
                    return
            elif isinstance(self._error, UnknownMessage):
                return
            else:
                gevent.sleep(AWAY_S)
        with self._hub.watch(run_id) as channel:
            if channel.head is None:
                channel.changed.wait(FIND_STREAM_S)
            quiet_s = LOOK_AGAIN_S
            while True:
                looked_at = monotonic()
                place = self._look(run_id)
                if self.is_ended or isinstance(self._error, UnknownMessage):
                    return
                heard = self._follow(channel, place, quiet_s if self._is_whole else GAP_S)
                if self._step_ended and self._look_at_end(channel):
                    return
                quiet_s = LOOK_AGAIN_S if heard else min(LOOK_AT_MOST_S, quiet_s * 1.5)
                if not self._is_whole:  # events that cannot be joined to anything must not be as many looks
                    gevent.sleep(max(0.0, looked_at + GAP_S - monotonic()))

    def _read(self) -> JsonObject | None:
        """What is stored; None when that cannot be read, and `_error` says why."""
        try:
            stored: JsonObject = self._threads.run(self._conversations.message, self.message_id)
        except (UnknownMessage, StoreUnavailable) as error:
            if self._error is None:
                log.info("message not read: %s", error)
            self._error = error
            self.tell()
            return None
        self._error = None
        return stored

    def _look_at_end(self, channel: Channel) -> bool:
        """Read what is stored after the step has ended, which is all there is to say. False: it goes on."""
        self._step_ended = False
        place = channel.head
        stored = self._read()
        if stored is None or stored["status"] == MessageStatus.WRITING:
            return False
        self._end(stored, place)
        return True

    def _look(self, run_id: str) -> Position | None:
        """Read the end of the stream and then what is stored; answers the place to go on from."""
        try:
            end = self._hub.tail_back(run_id, None, FIRST_PAGE)
        except StreamUnavailable:
            end = None
        stored = self._read()
        if stored is None:
            gevent.sleep(AWAY_S)
            return self.position
        place = None if end is None else end[0].position if end else START
        if stored["status"] != MessageStatus.WRITING:
            self._end(stored, place)
            return place
        self._key = stored["step"]["key"]
        self._message = stored
        edition = _edition(stored)
        self._is_whole = end is not None and self._catch_up(run_id, end, stored, edition)
        if not self._is_whole:
            self.text.become(stored["text"], edition)
            place = place or self.position
        if self._is_whole:
            self._begin(place)
        self.tell()
        return place

    def _catch_up(self, run_id: str, end: Sequence[Entry], stored: JsonObject, edition: Edition) -> bool:
        """Take the stored text and what the stream has behind it; False when something between them is missing."""
        step = stored["step"]
        if step["status"] != StepStatus.IN_PROGRESS:
            self.text.become(stored["text"], edition)
            return True
        growing = Growing(step["key"], step["attempt"], stored["text"], edition)
        try:
            catch_up([growing], backwards(lambda before: self._hub.tail_back(run_id, before, PAGE), end))
        except StreamUnavailable:
            return False
        if growing.text is None:
            return False
        newest = next((event for entry in end if (event := self._own(entry)) and event["type"] == EventType.TEXT), None)
        if newest is not None:
            edition = max(edition, (newest["attempt"], newest.get("edition", 0)))
        self.text.become(growing.text, edition)
        return True

    def _follow(self, channel: Channel, place: Position | None, quiet_s: float) -> bool:
        """Take events until there is a reason to look again: it ended, something is missing, or nothing was heard.

        Answers whether something of the message was heard.
        """
        cursor = self._hub.cursor(channel, place)
        heard, heard_at = False, monotonic()
        while True:
            batch = cursor.next(quiet_s)
            if batch is None or batch.truncated:
                return heard
            look = False
            for entry in batch.entries:
                event = self._own(entry)
                if event is not None:
                    heard, heard_at = True, monotonic()
                    look = not self._take(event, entry.position) or look
            if self._is_whole:
                self.position = batch.position
            self.tell()
            if look or monotonic() - heard_at > LOOK_AT_MOST_S:
                return heard

    def _own(self, entry: Entry) -> JsonObject | None:
        """An event that says something of this message."""
        if not entry.text.startswith(KINDS):
            return None
        event: JsonObject = json.loads(entry.text)
        is_own = event["type"] in (EventType.NOTICE, EventType.RUN) or event["key"] == self._key
        return event if is_own else None

    def _take(self, event: JsonObject, position: Position) -> bool:
        """Take an event. False: look at what is stored."""
        match event["type"]:
            case EventType.TEXT:
                if not self.text.apply(event):
                    self._is_whole = False
                    return False
                if event["offset"] == 0 and not self._is_whole:
                    self._is_whole = True
                    self._begin(position)
                self._marks.append((position.seq, event["offset"]))
            case EventType.STEP:
                shown = {name: event[name] for name in ("key", "status", "attempt", "waiting_for")}
                shown["until"] = event["due_at"] if event["status"] == StepStatus.WAITING else None
                if self._message is not None:
                    self._message |= {"step": shown, "attempt": event["attempt"]}
                self.text.tell("step", _json(shown))
                self._step_ended = StepStatus(event["status"]).is_ended
                return not self._step_ended
            case EventType.PROGRESS:
                step = (self._message or {}).get("step")
                if step is not None and event["attempt"] == step["attempt"]:
                    shown = step | {"doing": event["progress"].get("message"), "doing_since": None}
                    self._message = (self._message or {}) | {"step": shown}
                    self.text.tell("step", _json(shown))
            case EventType.NOTICE:
                self.text.tell("notice", _json({name: event[name] for name in event if name != "type"}))
            case EventType.RUN:
                return not RunStatus(event["status"]).is_finished
        return True

    def _begin(self, place: Position | None) -> None:
        self.position = self._began = place
        self._marks.clear()

    def _end(self, stored: JsonObject, place: Position | None) -> None:
        self.text.become(stored["text"], _edition(stored), final=True)
        self._message = stored
        if self.position is None:
            self._begin(place)
        self.is_ended = True
        self.tell()

    def _offsets(self, after: Position, until: Position) -> list[int] | None:
        """From where events between two places changed the text; None when they are not all there."""
        if self._run_id is None or until.seq - after.seq > EVENTS_BACK:
            return None
        found: list[int] = []
        while after.seq < until.seq:
            try:
                batch = self._hub.read(self._run_id, after, PAGE)
            except StreamUnavailable:
                return None
            if batch.truncated or not batch.entries:
                return None
            for entry in batch.entries:
                event = self._own(entry)
                if event is not None and event["type"] == EventType.TEXT:
                    found.append(event["offset"])
            after = batch.position
        return found

    def tell(self) -> None:
        """Wake who reads."""
        told, self.changed = self.changed, Event()
        told.set()


class MessageFeeds:
    """The feeds of all messages that somebody reads."""

    def __init__(self, hub: Hub, conversations: Conversations, threads: NativeThreads) -> None:
        self.conversations = conversations
        self._hub = hub
        self._threads = threads
        self._feeds: dict[str, MessageFeed] = {}
        # Also those of which another has taken the place, for as long as they are read.
        self._read: set[MessageFeed] = set()
        self._telling = False

    @contextmanager
    def watch(self, message_id: str, *, run_id: str | None = None) -> Iterator[MessageFeed]:
        """The feed of a message for as long as anyone reads it; `run_id` saves a look where it is known.

        Raises: UnknownMessage; StoreUnavailable.
        """
        feed = self._feeds.get(message_id)
        if feed is None or feed.is_ended or feed.is_lost:  # one that has ended may be written again since
            feed = self._feeds[message_id] = MessageFeed(
                message_id, run_id, self._hub, self.conversations, self._threads
            )
        feed.watchers += 1
        self._read.add(feed)
        if not self._telling:
            self._telling = True
            spawn_vital(self._tell_all)
        try:
            feed.wait_known()
            yield feed
        finally:
            feed.watchers -= 1
            if not feed.watchers:
                self._read.discard(feed)
                if self._feeds.get(message_id) is feed:
                    del self._feeds[message_id]
                feed.stop()

    def _tell_all(self) -> None:
        """Wake who reads, whatever keeps a feed from it: they look whether their client is still there."""
        while True:
            gevent.sleep(TELL_EVERY_S)
            for feed in list(self._read):
                feed.tell()

    @property
    def followed(self) -> int:
        """How many messages are followed."""
        return len(self._feeds)


def _edition(stored: JsonObject) -> Edition:
    return stored["text_attempt"] or 0, stored["text_edition"] or 0


def _json(document: JsonObject) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
