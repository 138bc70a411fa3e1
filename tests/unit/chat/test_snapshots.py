"""A text of what is stored and the end of the stream: whatever the cut, the events behind it lead to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from orchestration.chat.reading import Conversations
from orchestration.chat.snapshots import MOST_EVENTS, Growing, Snapshots, backwards, catch_up
from orchestration.errors import StreamUnavailable
from schemas.events import Position, StepEvent, TextEvent
from schemas.json import JsonObject
from schemas.statuses import StepStatus

KEY = "answer"


@dataclass(frozen=True)
class Entry:
    position: Position
    text: str


@dataclass(frozen=True)
class Stored:
    """What PostgreSQL has at a moment, and which attempt is at work then."""

    text: str
    by: tuple[int, int]
    attempt: int


@dataclass
class Writer:
    """Writes as workers do: by attempts that are lost, with texts put in place of others, stored now and then."""

    events: list[TextEvent | StepEvent] = field(default_factory=list)
    states: list[tuple[int, Stored]] = field(default_factory=list)  # of so many events
    text: str = ""
    edition: int = 0
    has_begun: bool = False
    stored: Stored = field(default_factory=lambda: Stored("", (0, 0), 0))

    def begin(self) -> None:
        """A next attempt, from what the last one stored."""
        self.text, self.edition, self.has_begun = self.stored.text, 0, False
        attempt = self.stored.attempt + 1
        self.events.append(StepEvent(version=1, index=0, key=KEY, status=StepStatus.IN_PROGRESS, attempt=attempt))
        self._store(Stored(self.text, self.stored.by, attempt))

    def write(self, piece: str) -> None:
        if self.has_begun:
            self._publish(len(self.text), piece)
        else:
            self._publish(0, self.text + piece)

    def rewrite(self, text: str) -> None:
        self.edition += 1
        self._publish(0, text)

    def save(self) -> None:
        self._store(Stored(self.text, (self.stored.attempt, self.edition), self.stored.attempt))

    def other(self) -> None:
        self.events.append(TextEvent(index=1, key="other", attempt=1, offset=0, text="something else"))

    def _publish(self, offset: int, piece: str) -> None:
        attempt, self.has_begun = self.stored.attempt, True
        self.text = self.text[:offset] + piece
        self.events.append(
            TextEvent(index=0, key=KEY, attempt=attempt, edition=self.edition, offset=offset, text=piece)
        )

    def _store(self, stored: Stored) -> None:
        self.stored = stored
        self.states.append((len(self.events), stored))


PIECES = st.text("abc", min_size=1, max_size=3)
ACTS = st.one_of(
    st.tuples(st.just("write"), PIECES),
    st.tuples(st.just("write"), PIECES),
    st.tuples(st.just("rewrite"), st.text("abc", max_size=4)),
    st.tuples(st.just("save")),
    st.tuples(st.just("begin")),
    st.tuples(st.just("other")),
)


def written(acts: Sequence[tuple[str, ...]]) -> Writer:
    writer = Writer()
    writer.begin()
    for name, *said in acts:
        getattr(writer, name)(*said)
    return writer


def replay(text: str, events: Sequence[TextEvent | StepEvent]) -> str:
    for event in events:
        if isinstance(event, TextEvent) and event.key == KEY:
            assert event.offset <= len(text), "a piece is missing"
            text = text[: event.offset] + event.text
    return text


def entries_of(events: Sequence[TextEvent | StepEvent]) -> list[Entry]:
    """The newest first."""
    found = [Entry(Position(7, seq), event.model_dump_json()) for seq, event in enumerate(events, 1)]
    return found[::-1]


def known(state: Stored, stream: Sequence[TextEvent | StepEvent]) -> Growing:
    one = Growing(KEY, state.attempt, state.text, state.by)
    catch_up([one], iter(entries_of(stream)))
    return one


@given(st.lists(ACTS, max_size=40), st.data())
def test_whatever_the_cut_the_events_behind_it_lead_to_the_final_text(acts, data):
    # What a lost attempt had said is taken back by what the next one says, so the last one says something.
    writer = written([*acts, ("write", "z")])
    # The state is read after the stream, which itself may lag behind the worker.
    cut = data.draw(st.integers(1, len(writer.events)), label="events in the stream")
    last = max(place for place, (after, _) in enumerate(writer.states) if after <= cut)
    read = data.draw(st.integers(last, len(writer.states) - 1), label="state")
    one = known(writer.states[read][1], writer.events[:cut])
    if one.text is None:
        # What comes next in the stream may be of a text that the store has replaced, and join nothing.
        assert read > last
        return
    assert replay(one.text, writer.events[cut:]) == writer.text


@given(st.lists(ACTS, max_size=40))
def test_at_the_end_of_the_stream_it_is_all_that_was_written(acts):
    writer = written(acts)
    assert known(writer.stored, writer.events).text == writer.text


@given(st.lists(ACTS, max_size=40), st.data())
def test_where_events_were_lost_it_says_so_or_is_right(acts, data):
    """The stream was wiped before some event: what is known is never a text that was not there."""
    writer = written(acts)
    wiped = data.draw(st.integers(0, len(writer.events)), label="lost")
    one = known(writer.stored, writer.events[wiped:])
    assert one.text is None or one.text in (writer.text, writer.stored.text)
    if one.text is not None and wiped < len(writer.events):
        assert one.text == writer.text


def test_a_text_that_begins_anew_is_not_joined_to_what_was_stored_before():
    writer = written([("write", "hello world"), ("save",), ("rewrite", "abc"), ("write", "de")])
    assert known(writer.stored, writer.events).text == "abcde"


def test_a_step_that_has_begun_and_said_nothing_is_known_at_once():
    writer = written([("write", "old"), ("save",), ("begin",)])
    assert known(writer.stored, writer.events).text == "old"


def test_events_are_read_no_further_than_needed():
    writer = written([("write", "a"), ("save",), *[("write", "b")] * 10])
    seen = []

    def watched():
        for entry in entries_of(writer.events):
            seen.append(entry)
            yield entry

    one = Growing(KEY, 1, writer.stored.text, writer.stored.by)
    catch_up([one], watched())
    assert one.text == writer.text
    assert len(seen) == 11  # the one after the last that was needed ends it


def test_pages_are_read_as_they_are_needed_and_not_without_end():
    asked = []

    def read(before: Position) -> list[Entry]:
        asked.append(before)
        return [Entry(Position(7, before.seq - n), "{}") for n in range(1, 501)]

    found = list(backwards(read, [Entry(Position(7, 100_000), "{}")]))
    assert MOST_EVENTS <= len(found) <= MOST_EVENTS + 500
    assert [entry.position.seq for entry in found[:3]] == [100_000, 99_999, 99_998]
    assert next(iter(backwards(read, [Entry(Position(7, 9), "{}")]))).position.seq == 9
    assert len(asked) == 10


class Stream:
    def __init__(self, writer: Writer | None) -> None:
        self.entries = entries_of(writer.events) if writer is not None else None

    def tail_back(self, run_id: str, before: Position | None, count: int) -> Sequence[Entry]:
        assert run_id == "run-1"
        if self.entries is None:
            raise StreamUnavailable("away")
        return [one for one in self.entries if before is None or one.position.seq < before.seq][:count]


class Rows(Conversations):
    """What is stored of one message that is being written."""

    def __init__(self, writer: Writer, step_status: str = "in_progress") -> None:
        self.writer = writer
        self.step_status = step_status

    def writing_runs(self, *, conversation: str | None = None, message: str | None = None) -> list[str]:
        assert message == "msg-1"
        return ["run-1"]

    def message(self, message_id: str) -> JsonObject:
        stored = self.writer.stored
        return {
            "id": message_id, "conversation_id": "c", "parent": None, "part": "message", "role": "assistant",
            "status": "writing", "text": stored.text, "model": "demo/plain", "run_id": "run-1", "battle": None,
            "created_by": "alice", "created_at": "2026-01-01T00:00:00Z", "ended_at": None, "proposals": None,
            "text_attempt": stored.by[0] or None, "text_edition": stored.by[1] if stored.by[0] else None,
            "attempt": stored.attempt,
            "step": {"key": KEY, "status": self.step_status, "attempt": stored.attempt, "waiting_for": None,
                     "until": None},
        }  # fmt: skip


ACTED = [("write", "hello"), ("save",), ("write", " world"), ("other",)]


def test_a_snapshot_has_the_place_up_to_which_its_text_goes():
    writer = written(ACTED)
    found = Snapshots(Rows(writer), Stream(writer)).message("msg-1")
    assert (found.text, found.position) == ("hello world", f"7-{len(writer.events)}")


def test_with_valkey_away_a_snapshot_is_what_is_stored():
    found = Snapshots(Rows(written(ACTED)), Stream(None)).message("msg-1")
    assert (found.text, found.position) == ("hello", None)


def test_with_valkey_wiped_a_snapshot_is_what_is_stored():
    found = Snapshots(Rows(written(ACTED)), Stream(Writer())).message("msg-1")
    assert (found.text, found.position) == ("hello", None)


def test_what_a_lost_attempt_had_not_stored_is_not_shown():
    """The next attempt goes on from what is stored."""
    writer = written(ACTED)
    found = Snapshots(Rows(writer, "ready"), Stream(writer)).message("msg-1")
    assert (found.text, found.position) == ("hello", f"7-{len(writer.events)}")


def test_what_comes_late_of_an_attempt_that_was_taken_over_hides_nothing() -> None:
    told = [
        StepEvent(version=1, index=0, key=KEY, status=StepStatus.IN_PROGRESS, attempt=2),
        TextEvent(index=0, key=KEY, attempt=2, offset=0, text="Hello"),
        TextEvent(index=0, key=KEY, attempt=2, offset=5, text=" you"),
        TextEvent(index=0, key=KEY, attempt=1, offset=3, text="late"),
    ]
    growing = Growing(KEY, 2, "Hello", (2, 0))
    for event in reversed(told):
        growing.see(event.model_dump(mode="json"))
    assert growing.text == "Hello you"
