"""`GET /workflow/events`: a run's events as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, request

from api.relay import parameters
from api.relay.access import Access
from api.relay.admission import Member
from api.relay.hub import Hub
from api.relay.states import States
from api.relay.wire import event_text, place_text
from schemas.events import Position

HEARTBEAT_S = 15.0
FIND_STREAM_S = 1.0
RECONNECT_MS = 2000


def events_blueprint(access: Access, hub: Hub, states: States) -> Blueprint:
    """The route; browsers resume by themselves with Last-Event-ID."""
    bp = Blueprint("events", __name__)

    @bp.get("/workflow/events")
    def workflow_events() -> Response:
        member = access.enter()
        try:
            run_id = parameters.workflow_id(request.args.get("workflow_id"))
            # A browser that comes back repeats the address, and says in the header where it really is.
            after = parameters.position(request.headers.get("Last-Event-ID") or request.args.get("after"))
            states.check_exists(run_id)
        except BaseException:
            access.leave(member)
            raise
        response = Response(
            stream_events(hub, run_id, after, member),
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        response.call_on_close(lambda: access.leave(member))
        return response

    return bp


def stream_events(hub: Hub, run_id: str, after: Position | None, member: Member) -> Iterator[str]:
    """What is sent to one client, until it leaves or its credentials no longer hold."""
    with hub.watch(run_id) as channel:
        if channel.head is None:
            channel.changed.wait(FIND_STREAM_S)
        cursor = hub.cursor(channel, after)
        yield f"retry: {RECONNECT_MS}\n\n"
        if cursor.position is not None:
            yield _message("subscribed", cursor.position, place_text(run_id, cursor.position))
        while not member.is_gone:
            batch = cursor.next(HEARTBEAT_S)
            if batch is None:
                yield ": still here\n\n"
            elif batch.truncated:
                yield _message("truncated", batch.position, place_text(run_id, batch.position))
            else:
                # One piece for the batch: a write for each event would cost more than the event.
                yield "".join(_message("workflow_event", e.position, event_text(run_id, e)) for e in batch.entries)


def _message(event: str, position: Position, data: str) -> str:
    return f"id: {position}\nevent: {event}\ndata: {data}\n\n"
