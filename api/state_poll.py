"""The plain case of `GET /workflow/state`, answered before Flask: many clients ask for it many times.

Whatever is not plain (no id, a foreign origin, an odd header, a caller or run that is not known) is left to the view in
`blueprints/runs.py`, which gives the same answer to what is answered here. A 304 is one statement and so is a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.auth.identity import bearer_token, session_cookie_name
from api.compression import LEAST_BYTES, compressed
from api.runs_of_request import position_in
from api.security import fixed_headers
from api.services import Services
from api.wire import state_answer
from orchestration.engine.queries_poll import Caller, Polls
from orchestration.errors import PerdureError
from schemas.workflow import ID_PATTERN

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/workflow/state"
# An id and perhaps a tag, none of it escaped. `wait` is for the relay.
_QUERY = re.compile(
    rf"workflow_id=(?P<run>{ID_PATTERN[1:-1]})(?:&since=(?P<since>[0-9-]{{1,100}}))?(?:&wait=[0-9]{{1,3}})?"
)
_TAG = re.compile(r'(?:W/)?"([0-9-]{1,100})"')

Answer = tuple[str, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class _Poll:
    """A plain request: who asks, for which run, and the tag of the state the client has."""

    caller: Caller
    run_id: str
    known: str | None
    takes_gzip: bool


class StatePolls:
    """Answers plain polls and hands everything else on to `app`."""

    def __init__(self, app: WSGIApplication, services: Services) -> None:
        self._app = app
        self._polls = Polls(services.database, services.queries)
        self._redis_url = services.redis_url
        self._cookie = session_cookie_name(services.settings) + "="
        self._headers = [
            *fixed_headers(services.settings).items(),
            ("Cache-Control", "private, no-cache"),
            ("Vary", "Accept-Encoding, Origin"),
        ]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == PATH and environ.get("REQUEST_METHOD") == "GET":
            poll = self._plain(environ)
            answer = None if poll is None else self._answer(poll)
            if answer is not None:
                status, headers, body = answer
                start_response(status, headers)
                return [body]
        return self._app(environ, start_response)

    def _plain(self, environ: WSGIEnvironment) -> _Poll | None:
        """The request, if it is plain."""
        asked = _QUERY.fullmatch(environ.get("QUERY_STRING", ""))
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        if asked is None or "HTTP_ORIGIN" in environ or ";" in accepted or "*" in accepted:
            return None
        known = asked["since"]
        if known is None and "HTTP_IF_NONE_MATCH" in environ:
            tag = _TAG.fullmatch(environ["HTTP_IF_NONE_MATCH"])
            if tag is None:
                return None
            known = tag[1]
        token = bearer_token(environ.get("HTTP_AUTHORIZATION"))
        session = None if token is not None else self._session(environ.get("HTTP_COOKIE", ""))
        if token is None and session is None:
            return None
        return _Poll(Caller(token, session), asked["run"], known, "gzip" in accepted)

    def _session(self, cookies: str) -> str | None:
        found = [part for part in map(str.strip, cookies.split(";")) if part.startswith(self._cookie)]
        return found[0].removeprefix(self._cookie) if len(found) == 1 and '"' not in found[0] else None

    def _answer(self, poll: _Poll) -> Answer | None:
        try:
            if poll.known is not None and self._polls.version(poll.caller, poll.run_id) == poll.known:
                return "304 NOT MODIFIED", [*self._headers, _tag(poll.known)], b""
            # The place in the stream before the state, so that no event lies between them unseen.
            state = self._polls.state(poll.caller, poll.run_id, position_in(self._redis_url, poll.run_id))
        except PerdureError:
            return None  # the view finds the same, and has the words for it
        if state is None:
            return None
        body = state_answer(state).encode()
        headers = [*self._headers, _tag(state.etag), ("Content-Type", "application/json")]
        if poll.takes_gzip and len(body) >= LEAST_BYTES:
            body = compressed(body)
            headers.append(("Content-Encoding", "gzip"))
        return "200 OK", [*headers, ("Content-Length", str(len(body)))], body


def _tag(etag: str) -> tuple[str, str]:
    # Weak, because the stream position in the document may differ, and for the compressed form.
    return "ETag", f'W/"{etag}"'
