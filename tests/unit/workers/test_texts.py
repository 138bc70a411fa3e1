"""Texts that attempts write: readers, PostgreSQL and the next attempt hold the same, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.errors import LeaseLost, StoreUnavailable, TooLarge
from orchestration.redaction import MASK, Redactor
from schemas.events import TextEvent
from tests.support.leases import Events, make_lease
from workers import texts
from workers.texts import Text, TextPace

SECRET = "swordfish-and-chips"


class Stored:
    """`save_text` as the SQL function does it: fenced, from an offset on, and refusing what leaves a hole."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.attempt = 1
        self.edition = 0
        self.calls: list[tuple[int, str]] = []
        self.before: Callable[[], None] = lambda: None
        self.away = False
        self.answer_is_lost = False

    def save_text(self, lease: Lease, offset: int, text: str, *, edition: int = 0) -> None:
        self.before()
        if self.away:
            raise StoreUnavailable("PostgreSQL cannot be reached")
        if lease.attempt != self.attempt:
            raise LeaseLost("taken over")
        assert offset == 0 or (self.text is not None and offset <= len(self.text)), "a hole in the stored text"
        self.text = (self.text or "")[:offset] + text
        self.edition = edition
        self.calls.append((offset, text))
        if self.answer_is_lost:
            raise StoreUnavailable("the answer was lost")


def make_text(
    stored: Stored | None = None,
    events: Events | None = None,
    *,
    redactor: Redactor | None = None,
    pace: TextPace | None = None,
    **lease: Any,
) -> Text:
    parts = (make_lease(**lease), cast(Attempts, stored or Stored()), events or Events(), redactor or Redactor())
    return Text(*parts, pace or TextPace())


def read(events: Events) -> str:
    """What a reader of all events holds."""
    text = ""
    for event in events.published:
        assert isinstance(event, TextEvent)
        assert event.offset <= len(text), "a hole in what was published"
        text = text[: event.offset] + event.text
    return text


def save(text: Text) -> bool:
    try:
        text.save()
    except StoreUnavailable:
        return False
    return True


def test_each_piece_is_published_at_once_and_stored_by_the_pace() -> None:
    stored, events = Stored(), Events()
    text = make_text(stored, events, pace=TextPace(seconds=3600, pieces=3))
    text.write("one ")
    text.write("two ")
    assert read(events) == "one two "
    assert not text.is_due()
    text.write("three ")
    assert text.is_due()
    text.save()
    assert (stored.calls, text.is_due(), text.is_dirty) == ([(0, "one two three ")], False, False)
    text.write("four")
    text.save()
    assert stored.calls[1] == (14, "four")


def test_a_text_that_grows_slowly_is_due_by_time() -> None:
    text = make_text(pace=TextPace(seconds=0, pieces=100))
    assert not text.is_due()
    text.write("one")
    assert text.is_due()


def test_nothing_new_is_nothing_stored() -> None:
    stored = Stored()
    text = make_text(stored)
    text.write("")
    text.save()
    text.write("a")
    text.save()
    text.save()
    assert stored.calls == [(0, "a")]


def test_what_could_not_be_stored_is_stored_with_what_came_since() -> None:
    stored = Stored()
    text = make_text(stored)
    text.write("a")
    stored.away = True
    assert not save(text)
    text.write("b")
    assert not save(text)
    stored.away = False
    text.write("c")
    assert save(text)
    assert stored.calls == [(0, "abc")]


def test_pieces_that_came_while_others_could_not_be_stored_keep_their_order() -> None:
    stored = Stored()
    text = make_text(stored)
    text.write("a")
    text.save()
    text.write("b")
    stored.away, stored.before = True, lambda: text.write("c")
    assert not save(text)
    stored.away, stored.before = False, lambda: None
    text.save()
    assert stored.text == "abc"


@pytest.mark.parametrize("away", [True, False])
def test_a_rewrite_while_an_earlier_text_is_being_stored_wins(away: bool) -> None:
    stored, events = Stored(), Events()
    text = make_text(stored, events)
    text.write("old")
    stored.away, stored.before = away, lambda: text.rewrite("new")
    assert save(text) is not away
    stored.away, stored.before = False, lambda: None
    assert text.is_dirty
    text.save()
    assert (stored.text, read(events)) == ("new", "new")


def test_a_rewrite_to_nothing_is_told_and_stored() -> None:
    stored, events = Stored(), Events()
    text = make_text(stored, events)
    text.write("old")
    text.save()
    text.rewrite("")
    text.save()
    assert (stored.text, read(events)) == ("", "")
    assert [event.edition for event in events.published if isinstance(event, TextEvent)] == [0, 1]


def test_a_text_of_an_attempt_that_was_taken_over_changes_nothing_and_raises_nothing() -> None:
    stored = Stored()
    text = make_text(stored, attempt=1)
    stored.attempt = 2
    text.write("late")
    text.save()
    assert stored.text is None
    assert not text.is_dirty


def test_too_large_a_piece_leaves_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MAX_BYTES", 20)
    stored, events = Stored(), Events()
    text = make_text(stored, events)
    text.write("0123456789")
    with pytest.raises(TooLarge):
        text.write("0123456789")
    with pytest.raises(TooLarge):
        text.rewrite("x" * 30)
    text.save()
    assert (stored.text, read(events)) == ("0123456789", "0123456789")


def test_single_letters_take_no_more_room_than_the_text_they_make() -> None:
    text = make_text()
    for _ in range(texts.MAX_BYTES // 2):
        text.write("x")
    with pytest.raises(TooLarge):
        text.write("x" * (texts.MAX_BYTES // 2))


def test_what_a_model_says_of_passwords_is_not_masked() -> None:
    events = Events()
    text = make_text(events=events)
    said = 'password = input("Name: ")\npostgresql://user:pass@localhost\n'
    for letter in said:
        text.write(letter)
    text.end()
    assert read(events) == said


@given(before=st.text(max_size=30), after=st.text(max_size=30), cuts=st.lists(st.integers(0, 120), max_size=6))
def test_a_known_secret_is_masked_wherever_the_pieces_are_cut(before: str, after: str, cuts: list[int]) -> None:
    whole = f"{before}{SECRET}{after}"
    stored, events = Stored(), Events()
    text = make_text(stored, events, redactor=Redactor([SECRET]))
    places = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    for start, end in pairwise(places):
        text.write(whole[start:end])
        text.save()
    text.end()
    text.save()
    assert SECRET not in read(events)
    assert MASK in read(events)
    assert stored.text == read(events)


class Writing(RuleBasedStateMachine):
    """Attempts that write, rewrite, store, lose PostgreSQL, die and go on, beside what must come of it."""

    @initialize()
    def begin(self) -> None:
        self.stored, self.events = Stored(), Events()
        self.wanted = ""
        self.attempt = 0
        self._next_attempt()

    def _next_attempt(self) -> None:
        self.attempt += 1
        self.stored.attempt = self.attempt
        written = self.stored.text or ""
        self.text = make_text(self.stored, self.events, attempt=self.attempt, written=written)

    @rule(piece=st.text(max_size=5))
    def write(self, piece: str) -> None:
        self.text.write(piece)
        self.wanted += _clean(piece)

    @rule(text=st.text(max_size=8))
    def rewrite(self, text: str) -> None:
        self.text.rewrite(text)
        self.wanted = _clean(text)

    @rule(
        away=st.booleans(),
        answer_is_lost=st.booleans(),
        meanwhile=st.lists(st.tuples(st.booleans(), st.text(max_size=4)), max_size=2),
    )
    def save(self, away: bool, answer_is_lost: bool, meanwhile: list[tuple[bool, str]]) -> None:
        def act() -> None:
            for is_rewrite, text in meanwhile:
                (self.rewrite if is_rewrite else self.write)(text)

        self.stored.away, self.stored.answer_is_lost, self.stored.before = away, answer_is_lost, act
        save(self.text)
        self.stored.away = self.stored.answer_is_lost = False
        self.stored.before = lambda: None

    @rule()
    def store_all(self) -> None:
        self.text.save()
        if self.wanted or self.stored.text is not None:
            assert self.stored.text == self.wanted

    @rule(goes_on=st.booleans())
    def die(self, goes_on: bool) -> None:
        stored = self.stored.text or ""
        self._next_attempt()
        self.wanted = stored if goes_on else ""
        self.text.rewrite(self.wanted)

    @rule()
    def late_news_of_the_attempt_before(self) -> None:
        late = make_text(self.stored, Events(), attempt=self.attempt - 1)
        late.write("late")
        late.save()

    @invariant()
    def readers_hold_what_was_written(self) -> None:
        assert read(self.events) == self.wanted


TestWriting = Writing.TestCase
TestWriting.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")
