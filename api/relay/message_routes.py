"""A message while it is written: as server-sent events, or as soon as there is more of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

from flask import Blueprint, Response, request

from api.relay import parameters
from api.relay.access import Access
from api.relay.admission import Member
from api.relay.message_feed import MessageFeed, MessageFeeds
from api.relay.message_text import Place
from api.relay.polling import LONGEST_WAIT_S
from api.relay.sse import HEARTBEAT_S, RECONNECT_MS
from orchestration.errors import StoreUnavailable, UnknownMessage
from schemas.chat import Message
from schemas.events import Position
from schemas.json import JsonObject

EVENT_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def messages_blueprint(access: Access, feeds: MessageFeeds) -> Blueprint:
    """The routes. All who read a message share one look at it."""
    bp = Blueprint("messages", __name__, url_prefix="/api/chat/messages")

    @bp.get("/<message_id>")
    def message(message_id: str) -> Response:
        member = access.enter()
        try:
            return wait_for_message(feeds, parameters.message_id(message_id))
        finally:
            access.leave(member)

    @bp.get("/<message_id>/events")
    def message_events(message_id: str) -> Response:
        watching = ExitStack()
        member = access.enter()
        watching.callback(access.leave, member)
        try:
            # A browser that comes back repeats the address, and says in the header where it really is.
            after = parameters.place(
                request.headers.get("Last-Event-ID") or request.args.get("starting_after"), "starting_after"
            )
            feed = watching.enter_context(feeds.watch(parameters.message_id(message_id)))
        except BaseException:
            watching.close()
            raise
        response = Response(stream_message(feed, after, member), mimetype="text/event-stream", headers=EVENT_STREAM)
        response.call_on_close(watching.close)
        return response

    return bp


def wait_for_message(feeds: MessageFeeds, message_id: str) -> Response:
    """The message once there is more of it than `since`, else 304 after `wait` seconds."""
    wait_s = parameters.seconds(request.args.get("wait"), most=LONGEST_WAIT_S)
    since = parameters.place(request.args.get("since"), "since")
    with feeds.watch(message_id) as feed:
        has_more = more_than(feed, since)
        deadline = monotonic() + wait_s
        while not feed.is_ended:
            changed = feed.changed
            if has_more():
                break
            left = deadline - monotonic()
            if left <= 0:
                return Response(status=304)
            changed.wait(left)
            feed.check_there()
        return Response(_json({"success": True} | shown(feed)), mimetype="application/json")


def more_than(feed: MessageFeed, since: Position | int | None) -> Callable[[], bool]:
    """Tells, each time it is called, whether there is more to tell of a message than a reader has, or something else.

    A reader may have more characters than are here: what it was told is not stored yet, say. Where another text stood
    here before, it may have been that one.
    """
    text = feed.text
    length = since if isinstance(since, int) else None
    if length is None:
        place = place_of(feed, since)
    else:
        place = text.end() if text.is_first or length <= len(text.text) else None
    edition = text.edition

    def has_more() -> bool:
        if place is None:
            return True
        before = place.length
        found = text.take(place)
        if found is None or found.news:
            return True
        if length is None:
            return found.offset is not None
        is_other = not text.is_first and text.edition != edition
        is_cut = found.offset is not None and found.offset < before
        return is_other or is_cut or len(text.text) > length

    return has_more


def place_of(feed: MessageFeed, after: Position | int | None) -> Place | None:
    """The place of a reader who has read so far; None when the feed cannot tell."""
    match after:
        case Position():
            return feed.place_after(after)
        case int():
            return feed.place_at(after)
    return None


def shown(feed: MessageFeed) -> JsonObject:
    """The message as it is now, as readers are told it."""
    document: JsonObject = Message.model_validate(feed.snapshot()).model_dump(mode="json")
    return document


def stream_message(feed: MessageFeed, after: Position | int | None, member: Member) -> Iterator[str]:
    """What is sent to one reader, until the message is written, the reader leaves or its credentials do not hold."""
    yield f"retry: {RECONNECT_MS}\n\n"
    place = place_of(feed, after)
    while not member.is_gone:
        changed = feed.changed
        try:
            feed.check_there()
        except UnknownMessage as error:
            yield _event(feed, "gone", {"code": error.code, "message": error.message})
            return
        except StoreUnavailable:  # who reads comes back, and is told by another feed
            return
        is_ended = feed.is_ended
        pieces: list[str] = []
        found = feed.text.take(place) if place is not None else None
        if found is None:
            # Its first look, or it has missed too much.
            place = feed.text.end()
            if not is_ended:
                pieces.append(_event(feed, "snapshot", shown(feed)))
        else:
            pieces += [_event_text(feed, name, text) for name, text in found.news]
            if found.offset is not None:
                pieces.append(_event(feed, "delta", {"offset": found.offset, "text": found.text}))
        if is_ended:
            pieces.append(_event(feed, "done", shown(feed)))
        if pieces:
            yield "".join(pieces)
        if is_ended:
            return
        if not changed.wait(HEARTBEAT_S):
            yield ": still here\n\n"


def _event(feed: MessageFeed, name: str, data: JsonObject) -> str:
    return _event_text(feed, name, _json(data))


def _event_text(feed: MessageFeed, name: str, data: str) -> str:
    # Without a known place none is said: a browser that comes back names the last one it was told.
    place = "" if feed.position is None else f"id: {feed.position}\n"
    return f"{place}event: {name}\ndata: {data}\n\n"


def _json(document: JsonObject) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
