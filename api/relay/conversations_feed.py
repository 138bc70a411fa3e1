"""Which conversations are being written: told to those who show a list of them, read once for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic

import gevent
from flask import Blueprint, Response
from gevent.event import Event

from api.relay.access import Access
from api.relay.admission import Member
from api.relay.message_routes import EVENT_STREAM
from api.relay.native import NativeThreads
from api.relay.sse import HEARTBEAT_S, RECONNECT_MS
from orchestration.chat.reading import Conversations
from orchestration.errors import StoreUnavailable

LOOK_EVERY_S = 1.0


class ConversationsFeed:
    """Looks for as long as somebody listens. `text` is what is told, None before the first look."""

    def __init__(self, conversations: Conversations, threads: NativeThreads) -> None:
        self.text: str | None = None
        self.changed = Event()
        self._conversations = conversations
        self._threads = threads
        self._listeners = 0
        self._greenlet: gevent.Greenlet | None = None

    def stream(self, member: Member) -> Iterator[str]:
        """What is sent to one listener: at once, and whenever it has changed."""
        told: str | None = None
        self._listeners += 1
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)
        try:
            yield f"retry: {RECONNECT_MS}\n\n"
            beat_at = monotonic() + HEARTBEAT_S
            while not member.is_gone:
                changed, text = self.changed, self.text
                if text is not None and text != told:
                    told = text
                    yield f"event: writing\ndata: {text}\n\n"
                elif not changed.wait(max(0.0, beat_at - monotonic())):
                    beat_at = monotonic() + HEARTBEAT_S
                    yield ": still here\n\n"
        finally:
            self._listeners -= 1

    def _run(self) -> None:
        try:
            while self._listeners:
                self._look()
                gevent.sleep(LOOK_EVERY_S)
        finally:
            self._greenlet, self.text = None, None

    def _look(self) -> None:
        try:
            found = self._threads.run(self._conversations.writing)
        except StoreUnavailable:
            return
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        if text != self.text:
            self.text = text
            told, self.changed = self.changed, Event()
            told.set()


def conversations_blueprint(access: Access, feed: ConversationsFeed) -> Blueprint:
    """The route."""
    bp = Blueprint("conversations", __name__)

    @bp.get("/api/chat/conversations/events")
    def conversations_events() -> Response:
        member = access.enter()
        response = Response(feed.stream(member), mimetype="text/event-stream", headers=EVENT_STREAM)
        response.call_on_close(lambda: access.leave(member))
        return response

    return bp
