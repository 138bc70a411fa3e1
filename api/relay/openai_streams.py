"""Answers as streams in OpenAI's shapes. What was sent is never taken back: a text that is replaced ends its stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic

from api.relay.admission import Member
from api.relay.message_feed import MessageFeed
from api.relay.openai_answers import (
    EDITION_SIZE,
    OPENING,
    REPLACED,
    REPLACED_WORDS,
    Asked,
    chunk_of,
    failure_of,
    finish_reason,
    first_number,
    item_of,
    number_at,
    part_of,
    response_of,
    seconds_of,
    status_of,
    usage_of,
)
from api.relay.problems import error_body
from api.relay.sse import HEARTBEAT_S
from schemas.chat import MessageStatus
from schemas.json import JsonObject

BEAT = ": still here\n\n"
DONE = "data: [DONE]\n\n"
_LAST = {"completed": "response.completed", "failed": "response.failed"}


class Replaced(Exception):
    """Another text stands where the one was that a reader has."""


class Steady:
    """A reader of a text that may only grow. `sent` is what it has."""

    def __init__(self, feed: MessageFeed, member: Member) -> None:
        self.feed = feed
        self.sent = ""
        self._member = member

    def skip(self, length: int) -> Iterator[None]:
        """Begin behind so many characters; yields for as long as there are not so many. Raises: Replaced."""
        while len(self.feed.text.text) < length:
            changed = self.feed.changed
            if self.feed.is_ended or self._member.is_gone:
                raise Replaced
            changed.wait(HEARTBEAT_S)
            yield
        self.sent = self.feed.text.text[:length]

    def pieces(self) -> Iterator[str | None]:
        """What comes, as it comes, until the message has ended; None every 15 s of silence.

        Raises: Replaced; UnknownMessage when the message was deleted.
        """
        beat_at = monotonic() + HEARTBEAT_S
        while not self._member.is_gone:
            changed, is_ended = self.feed.changed, self.feed.is_ended
            self.feed.check_there()
            text = self.feed.text.text
            if text is not self.sent and text != self.sent:
                if text.startswith(self.sent):
                    piece, self.sent = text[len(self.sent) :], text
                    yield piece
                    beat_at = monotonic() + HEARTBEAT_S
                    continue
                # Shorter for now: the next attempt may say the same again, or not.
                if is_ended or not self.sent.startswith(text):
                    raise Replaced
            if is_ended:
                return
            # Without a limit, which would cost as much as all else here: feeds tell every few seconds in any case.
            changed.wait()
            if monotonic() >= beat_at:
                yield None
                beat_at = monotonic() + HEARTBEAT_S


def stream_completion(feed: MessageFeed, member: Member, model: str, *, with_usage: bool) -> Iterator[str]:
    """The chunks of a chat completion."""
    first = feed.snapshot()
    said = (first["id"], seconds_of(first["created_at"]), model)
    more: JsonObject = {"usage": None} if with_usage else {}
    yield _data(chunk_of(*said, {"role": "assistant", "content": ""}) | more)
    try:
        for piece in Steady(feed, member).pieces():
            yield BEAT if piece is None else _data(chunk_of(*said, {"content": piece}) | more)
    except Replaced:
        yield _data(error_body(500, REPLACED_WORDS, REPLACED))
        return
    message = feed.snapshot()
    if message["status"] == MessageStatus.FAILED:
        yield _data(failure_of(message)[1])
        return
    end = _data(chunk_of(*said, {}, finish_reason(message)) | more)
    if with_usage:
        end += _data(chunk_of(*said, {}) | {"choices": [], "usage": usage_of(message)})
    yield end + DONE


def stream_response(feed: MessageFeed, member: Member, asked: Asked, starting_after: int) -> Iterator[str]:
    """The events of a response behind a number; -1: all.

    The numbers are made of the text, so that they are the same for every reader, at any time.
    """
    reader = Steady(feed, member)
    generation, place = divmod(max(starting_after, 0), EDITION_SIZE)
    if place <= OPENING:  # it has nothing of the text, whichever that was
        yield from _numbered(_opening(feed.snapshot(), asked), 0, starting_after)
    else:
        try:
            if generation * EDITION_SIZE != first_number(feed.text.edition):
                raise Replaced
            # Behind the text: some of what ends the response was read.
            length = place - OPENING
            if feed.is_ended:
                length = min(length, len(feed.text.text))
            for _ in reader.skip(length):
                yield BEAT
        except Replaced:
            yield _event(
                {"type": "error", "code": REPLACED, "message": REPLACED_WORDS, "param": None}, starting_after + 1
            )
            return
    try:
        for piece in reader.pieces():
            number = number_at(feed.text.edition, len(reader.sent))
            delta = {"type": "response.output_text.delta", **_place(feed), "delta": piece, "logprobs": []}
            yield BEAT if piece is None else _event(delta, number)
    except Replaced:
        number = number_at(feed.text.edition, 0)
        yield _event({"type": "error", "code": REPLACED, "message": REPLACED_WORDS, "param": None}, number)
        return
    if feed.is_ended:
        first = number_at(feed.text.edition, len(reader.sent)) + 1
        yield from _numbered(_closing(feed, asked), first, starting_after)


def _opening(message: JsonObject, asked: Asked) -> list[JsonObject]:
    # As it was when it began, whatever it is now: everyone is told the same.
    begun = message | {"status": MessageStatus.WRITING, "text": "", "usage": None, "error": None, "finish_reason": None}
    begun |= {"step": {"status": "in_progress"}}
    response = response_of(begun, asked)
    place = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    return [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item_of(begun, is_open=True)},
        {"type": "response.content_part.added", **place, "part": part_of("")},
    ]


def _closing(feed: MessageFeed, asked: Asked) -> list[JsonObject]:
    message = feed.snapshot()
    response = response_of(message, asked)
    return [
        {"type": "response.output_text.done", **_place(feed), "text": message["text"], "logprobs": []},
        {"type": "response.content_part.done", **_place(feed), "part": part_of(message["text"])},
        {"type": "response.output_item.done", "output_index": 0, "item": item_of(message)},
        {"type": _LAST.get(status_of(message), "response.incomplete"), "response": response},
    ]


def _place(feed: MessageFeed) -> JsonObject:
    return {"item_id": feed.message_id, "output_index": 0, "content_index": 0}


def _numbered(events: list[JsonObject], first: int, after: int) -> Iterator[str]:
    due = [_event(event, number) for number, event in enumerate(events, first) if number > after]
    if due:
        yield "".join(due)


def _event(event: JsonObject, number: int) -> str:
    return f"event: {event['type']}\n" + _data(event | {"sequence_number": number})


def _data(document: JsonObject) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n"
