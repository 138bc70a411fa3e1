from __future__ import annotations

import random
from typing import Any

from api.relay.message_text import MessageText, common_length


def event(offset: int, text: str, attempt: int = 1, edition: int = 0) -> dict[str, Any]:
    return {"offset": offset, "text": text, "attempt": attempt, "edition": edition}


class Reader:
    """Applies what it is told, as docs/live-channel.md says."""

    def __init__(self, told: MessageText) -> None:
        self.text = told.text
        self.place = told.end()
        self.pieces: list[tuple[int, str]] = []

    def read(self, told: MessageText) -> None:
        found = told.take(self.place)
        assert found is not None
        if found.offset is not None and found.text is not None:
            assert found.offset <= len(self.text)
            self.text = self.text[: found.offset] + found.text
            self.pieces.append((found.offset, found.text))


def test_pieces_make_a_text_and_the_same_piece_twice_changes_nothing():
    told = MessageText()
    reader = Reader(told)
    pieces = [event(0, "Once "), event(5, "upon "), event(10, "a time")]
    for one in pieces:
        assert told.apply(one)
        reader.read(told)
    for one in pieces:
        assert told.apply(one)
        reader.read(told)
    assert told.text == reader.text == "Once upon a time"
    assert reader.pieces == [(0, "Once "), (5, "upon "), (10, "a time")]


def test_a_piece_with_a_gap_before_it_is_not_taken():
    told = MessageText()
    assert told.apply(event(0, "Once "))
    assert not told.apply(event(10, "a time"))
    assert told.text == "Once "


def test_a_piece_of_another_edition_is_taken_from_the_beginning_only():
    told = MessageText()
    assert told.apply(event(0, "Once upon"))
    # What this edition begins with was lost: the text here is not it.
    assert not told.apply(event(4, " more", attempt=2, edition=1))
    assert told.apply(event(0, "Once", attempt=2, edition=1))
    assert told.apply(event(4, " more", attempt=2, edition=1))
    assert told.text == "Once more"


def test_a_text_begun_anew_replaces_what_readers_have():
    told = MessageText()
    told.apply(event(0, "Once upon a time"))
    reader, late = Reader(told), Reader(told)
    told.apply(event(0, "", attempt=2, edition=1))
    reader.read(told)
    assert reader.text == ""
    told.apply(event(0, "Once there was", attempt=2, edition=1))
    reader.read(told)
    late.read(told)
    assert reader.text == late.text == "Once there was"


def test_a_worker_that_has_lost_the_step_is_not_listened_to():
    told = MessageText()
    told.apply(event(0, "new", attempt=2, edition=1))
    assert told.apply(event(3, " of the old one", attempt=1))
    assert told.text == "new"


def test_what_was_read_replaces_only_what_is_older():
    told = MessageText()
    told.apply(event(0, "Once upon a time"))
    told.become("Once upon", (1, 0))
    assert told.text == "Once upon a time"
    told.become("Another", (2, 1))
    assert told.text == "Another"
    told.become("Once", (1, 0), final=True)
    assert told.text == "Once"


def test_a_reader_that_missed_too_much_is_told_so():
    told = MessageText()
    reader = told.end()
    for number in range(2000):
        told.tell("step", str(number))
    assert told.take(reader) is None
    fresh = told.end()
    told.tell("step", "last")
    found = told.take(fresh)
    assert found is not None
    assert found.news == (("step", "last"),)


def test_readers_of_any_pace_end_with_the_same_text():
    chance = random.Random(7)
    for _ in range(300):
        told = MessageText()
        readers = [Reader(told) for _ in range(4)]
        attempt, edition, length = 1, 0, 0
        for _ in range(chance.randrange(60)):
            if chance.random() < 0.1:
                attempt, edition = (attempt + 1, 1) if chance.random() < 0.5 else (attempt, edition + 1)
                keep = chance.randrange(length + 1)
                piece, offset = told.text[:keep], 0
            else:
                piece, offset = chance.choice("abc") * chance.randrange(4), length
            length = offset + len(piece)
            assert told.apply(event(offset, piece, attempt, edition))
            for reader in readers:
                if chance.random() < 0.3:
                    reader.read(told)
        for reader in readers:
            reader.read(told)
            assert reader.text == told.text


def test_what_two_texts_have_in_common():
    assert common_length("", "abc") == 0
    assert common_length("abc", "abc") == 3
    assert common_length("abcd", "abX") == 2
    assert common_length("Xbcd", "abX") == 0


def test_only_the_first_text_is_the_same_for_all_who_count_its_characters():
    told = MessageText()
    assert told.is_first
    assert told.apply(event(0, "Once upon"))
    assert told.is_first
    assert told.apply(event(0, "There", attempt=1, edition=1))
    assert not told.is_first
