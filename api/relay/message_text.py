"""The text of a message as its events tell it, and what of it a reader lacks."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEPT_TURNS = 1000

Edition = tuple[int, int]
"""Which attempt wrote a text, and how often it had begun anew by then. A higher one replaces a lower one."""

# Until a text is of a later edition, so many characters of it are the same for all who have read them.
FIRST_EDITION: Edition = (1, 0)


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that readers are told beside more text.

    `cut`: the text was replaced from so many characters on. `news`: the name and JSON text of an event.
    """

    number: int
    cut: int | None = None
    news: tuple[str, str] | None = None


@dataclass(slots=True)
class Place:
    """How far a reader is: so many characters, and so many turns."""

    length: int
    turn: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader lacks: from `offset` characters on, the text is `text`. None for both: nothing of the text."""

    offset: int | None
    text: str | None
    news: tuple[tuple[str, str], ...]


@dataclass
class MessageText:
    """A text by the one rule `text = text[:offset] + piece`, for any number of readers who each keep their place."""

    text: str = ""
    edition: Edition = (0, 0)
    turn: int = 0
    _turns: deque[Turn] = field(default_factory=lambda: deque(maxlen=KEPT_TURNS))

    def apply(self, event: Mapping[str, Any]) -> bool:
        """Take a text event; one that was taken before changes nothing. False: what comes before it is not here."""
        offset, piece = event["offset"], event["text"]
        edition = (event["attempt"], event.get("edition", 0))
        if edition < self.edition:  # of a worker that has lost the step, or told again
            return True
        goes_on = edition == self.edition or offset == 0 or edition[1] == 0
        if offset > len(self.text) or not goes_on:
            return False
        if edition == self.edition and self.text.startswith(piece, offset):
            return True
        self._put(self.text[:offset] + piece, edition)
        return True

    def become(self, text: str, edition: Edition, *, final: bool = False) -> None:
        """Take a text as it was read. One that is older than what is here changes nothing, unless it is final."""
        is_behind = edition < self.edition or (edition == self.edition and self.text.startswith(text))
        if final or not is_behind:
            self._put(text, edition)

    def tell(self, name: str, text: str) -> None:
        """Have readers told of an event."""
        self.turn += 1
        self._turns.append(Turn(self.turn, news=(name, text)))

    @property
    def is_first(self) -> bool:
        """Whether no other text stood here before, as far as is known."""
        return self.edition <= FIRST_EDITION

    def end(self) -> Place:
        """The place of a reader who has all."""
        return Place(len(self.text), self.turn)

    def take(self, place: Place) -> Found | None:
        """What a reader lacks; moves its place to the end. None: that is not known any more, it must read all."""
        if place.turn < self.turn and self._turns[0].number > place.turn + 1:
            return None
        start, news = place.length, []
        for number in range(place.turn - self.turn, 0):
            turn = self._turns[number]
            if turn.cut is not None:
                start = min(start, turn.cut)
            if turn.news is not None:
                news.append(turn.news)
        lacks = start < place.length or start < len(self.text)
        found = Found(start if lacks else None, self.text[start:] if lacks else None, tuple(news))
        place.length, place.turn = len(self.text), self.turn
        return found

    def _put(self, text: str, edition: Edition) -> None:
        before, self.text, self.edition = self.text, text, edition
        if not text.startswith(before):
            self.turn += 1
            self._turns.append(Turn(self.turn, cut=common_length(before, text)))


def common_length(one: str, other: str) -> int:
    """How many characters two texts have in common from their beginning on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
