"""`GET /workflow/state?wait=`: a client without a live channel is answered as soon as the state has changed."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.relay import parameters
from api.relay.access import Access
from api.relay.states import States

LONGEST_WAIT_S = 30.0


def state_blueprint(access: Access, states: States, *, cleanup_delay_s: float) -> Blueprint:
    """The route. Clients that wait for the same run share one look at the database."""
    bp = Blueprint("state", __name__)

    @bp.get("/workflow/state")
    def workflow_state() -> Response:
        member = access.enter()
        try:
            run_id = request.args.get("workflow_id") or states.current_run(member.actor.name, cleanup_delay_s)
            if run_id is None:
                return Response('{"success":true,"active":false,"state":null}', mimetype="application/json")
            return wait_for_state(states, parameters.workflow_id(run_id))
        finally:
            access.leave(member)

    return bp


def wait_for_state(states: States, run_id: str) -> Response:
    """The state once its ETag differs from `since`, else 304 after `wait` seconds."""
    wait_s = parameters.seconds(request.args.get("wait"), most=LONGEST_WAIT_S)
    since = parameters.etag(request.args.get("since") or request.headers.get("If-None-Match"))
    with states.watch(run_id) as feed:
        feed.wait_known()
        if since is not None and not feed.wait_other(since, wait_s):
            feed.check_readable()
            return _tagged(Response(status=304), since)
        state = feed.document()
    body = f'{{"success":true,"active":{"true" if state.active else "false"},"state":{state.text}}}'
    return _tagged(Response(body, mimetype="application/json"), state.etag)


def _tagged(response: Response, etag: str) -> Response:
    # As the web process says it: weak, because the stream position in the document may differ.
    response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    return response
