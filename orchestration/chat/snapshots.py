"""Messages with their text as new as can be: what is stored, and the end of the run's event stream behind it.

PostgreSQL has the text as it was up to two seconds or a hundred pieces ago. Each piece since is an event that says
`text = text[:offset] + piece`, so the stream is read backwards as far as an event that the stored text reaches to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from json import loads

from orchestration.chat.reading import PAGE as CONVERSATION_PAGE
from orchestration.chat.reading import Conversations
from orchestration.errors import StreamUnavailable
from orchestration.ports import StreamEntry, StreamTail
from schemas.chat import Message
from schemas.events import EventType, Position
from schemas.json import JsonObject
from schemas.statuses import StepStatus

FIRST_PAGE = 200
PAGE = 500
# More than all agents of a mixture write between two times that their texts are stored.
MOST_EVENTS = 5_000


@dataclass
class Growing:
    """A text that is being written, as far as it is known while the stream is read backwards.

    `stored` was written by `stored_by`: an attempt, and how often it had begun anew by then. `attempt` is at work now,
    and `doing` is what it told last that it does; None: nothing that was seen.
    """

    key: str
    attempt: int
    stored: str
    stored_by: tuple[int, int]
    text: str | None = None
    """The text up to the end of the stream; None: not known, or not yet."""
    doing: str | None = None
    is_done: bool = False
    """Whether events further back say nothing more."""
    _later: list[tuple[int, str]] = field(default_factory=list, repr=False)
    _newest: tuple[int, int] | None = None

    def see(self, event: JsonObject) -> None:
        """Take the event before those that were seen."""
        if self.is_done or event.get("key") != self.key:
            return
        if event["type"] == EventType.PROGRESS:
            if event["attempt"] == self.attempt and self.doing is None:
                self.doing = event["progress"].get("message")
        elif event["type"] == EventType.TEXT and event["attempt"] == self.attempt:
            self._see_piece(event["offset"], event["text"], (event["attempt"], event.get("edition", 0)))
        elif event["type"] == EventType.TEXT:
            # Of a worker that froze and was taken over, and wrote on for a moment after it woke.
            return
        elif event["attempt"] < self.attempt:
            # The stream is behind the state: pieces of that attempt may still come, and join nothing.
            self._know(None)
        elif _is_begin(event):
            # The attempt has written no more than was seen; where that joins nothing, events were lost.
            self._know(None if self._later else self.stored)

    def _see_piece(self, offset: int, piece: str, edition: tuple[int, int]) -> None:
        if edition < self.stored_by:
            # What is stored has begun anew since: as above.
            self._know(None)
            return
        self._newest = self._newest or edition
        self._later.append((offset, piece))
        if offset == 0:
            self._join("")
        elif edition == self.stored_by and offset <= len(self.stored):
            self._join(self.stored)

    def _join(self, text: str) -> None:
        for offset, piece in reversed(self._later):
            text = text[:offset] + piece
        # Stored after the stream was read, it is longer; what comes next in the stream says the same again.
        is_newer = self._newest == self.stored_by and len(self.stored) > len(text)
        self._know(self.stored if is_newer else text)

    def _know(self, text: str | None) -> None:
        self.text, self.is_done = text, True


def _is_begin(event: JsonObject) -> bool:
    return bool(event["type"] == EventType.STEP and event["status"] == StepStatus.IN_PROGRESS)


def catch_up(growing: Sequence[Growing], entries: Iterator[StreamEntry]) -> None:
    """Read events, the newest first, until nothing more can be learned of any text."""
    for entry in entries:
        if all(one.is_done for one in growing):
            return
        if not any(kind in entry.text for kind in ('"text"', '"step"', '"progress"')):
            continue
        event = loads(entry.text)
        if event["type"] in (EventType.TEXT, EventType.STEP, EventType.PROGRESS):
            for one in growing:
                one.see(event)


class Snapshots:
    """Messages as they are this moment. `tail`: the runs' event streams; without Valkey what is stored is shown."""

    def __init__(self, conversations: Conversations, tail: StreamTail) -> None:
        self.conversations = conversations
        self.tail = tail

    def message(self, message_id: str) -> Message:
        """A message with its proposals. Raises: UnknownMessage."""
        ends = self._ends(self.conversations.writing_runs(message=message_id))
        return Message.model_validate(self._fresh([self.conversations.message(message_id)], ends)[0])

    def conversation(
        self, conversation_id: str, *, limit: int = CONVERSATION_PAGE, before: str | None = None
    ) -> JsonObject:
        """A conversation with a page of its messages. Raises: UnknownConversation, UnknownMessage."""
        ends = self._ends(self.conversations.writing_runs(conversation=conversation_id))
        found = self.conversations.conversation(conversation_id, limit=limit, before=before)
        return found | {"messages": self._fresh(found["messages"], ends)}

    def _ends(self, runs: Sequence[str]) -> dict[str, Sequence[StreamEntry]]:
        """The end of each run's stream. Read before the state: what the state has besides is said again behind it."""
        try:
            return {run: self.tail.tail_back(run, None, FIRST_PAGE) for run in runs}
        except StreamUnavailable:
            return {}

    def _fresh(self, messages: Sequence[JsonObject], ends: dict[str, Sequence[StreamEntry]]) -> list[JsonObject]:
        by_run: dict[str, list[JsonObject]] = {}
        fresh = []
        for message in messages:
            shown = message | {"proposals": [dict(one) for one in message.get("proposals") or ()] or None}
            fresh.append(shown)
            for one in (shown, *(shown["proposals"] or ())):
                if one["status"] == "writing" and one["run_id"] in ends:
                    by_run.setdefault(one["run_id"], []).append(one)
        for run, written in by_run.items():
            self._catch_up(run, written, ends[run])
        return fresh

    def _catch_up(self, run: str, written: Sequence[JsonObject], end: Sequence[StreamEntry]) -> None:
        position = str(end[0].position) if end else None
        growing = []
        for message in written:
            step = message["step"]
            if step["status"] == StepStatus.IN_PROGRESS:
                stored_by = (message["text_attempt"] or 0, message["text_edition"] or 0)
                growing.append((message, Growing(step["key"], step["attempt"], message["text"], stored_by)))
            else:
                # Nobody writes: the next attempt goes on from what is stored.
                message["position"] = position
        try:
            catch_up([one for _, one in growing], self._backwards(run, end))
        except StreamUnavailable:
            return
        for message, one in growing:
            if one.doing not in (None, message["step"].get("doing")):
                # Told, and not stored yet: for less than a second.
                message["step"] = message["step"] | {"doing": one.doing, "doing_since": None}
            if one.text is not None:
                message |= {"text": one.text, "position": position}

    def _backwards(self, run: str, end: Sequence[StreamEntry]) -> Iterator[StreamEntry]:
        return backwards(lambda before: self.tail.tail_back(run, before, PAGE), end)


def backwards(read: Callable[[Position], Sequence[StreamEntry]], end: Sequence[StreamEntry]) -> Iterator[StreamEntry]:
    """The events of a stream from its `end` on, read page by page as they are asked for, at most `MOST_EVENTS`."""
    page, seen = end, 0
    while page:
        yield from page
        seen += len(page)
        page = read(page[-1].position) if seen < MOST_EVENTS else ()
