"""The HTTP client of the command line: finds the server, says who asks, and tells a lost answer from a refusal."""

from __future__ import annotations

import ipaddress
import os
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from cli.token_file import token_file
from schemas.json import JsonObject
from settings import Settings, load_settings, read_stack

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
START_ATTEMPTS = 4
START_PAUSE_S = 0.5
# Clocks that differ by less are taken for one: the Date header tells whole seconds.
CLOCK_TOLERANCE = timedelta(seconds=2)


class Unreachable(Exception):
    """The server did not answer, or could not serve just now; asking again may help."""


class Refused(Exception):
    """The server answered no: `problem` is its problem document."""

    def __init__(self, status: int, problem: JsonObject) -> None:
        super().__init__(str(problem.get("detail") or problem.get("message") or f"status {status}"))
        self.status = status
        self.problem = problem


class NoToken(Exception):
    """There is no token to show; the message says where one comes from."""


@dataclass(frozen=True)
class Server:
    """Where the server is and the token that is shown to it."""

    url: str
    token: str = field(repr=False)


def find_server() -> Server:
    """The server that PERDURE_URL and PERDURE_TOKEN name; by default the one of the data directory.

    The admin's token in the data directory is shown to the server of that directory only.
    Raises: NoToken, SettingsInvalid.
    """
    settings = load_settings(attach=False)
    own = str(read_stack(settings.data_dir).get("web_url") or settings.web_url)
    url = os.environ.get("PERDURE_URL", "").strip().rstrip("/") or own
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise NoToken(f"PERDURE_URL is {url!r}; it must be an address such as http://127.0.0.1:8400")
    token = os.environ.get("PERDURE_TOKEN", "").strip()
    if not token:
        token = _kept_token(settings, is_own=url == own)
    return Server(url, token)


def _kept_token(settings: Settings, *, is_own: bool) -> str:
    file = token_file(settings)
    if not is_own:
        raise NoToken("PERDURE_URL names another server: set PERDURE_TOKEN to a token for it")
    if settings.admin_token:
        return settings.admin_token
    try:
        token = file.read_text("utf-8").strip()
    except FileNotFoundError:
        token = ""
    except OSError as error:
        raise NoToken(f"the token file {file} cannot be read ({error.strerror}): set PERDURE_TOKEN") from error
    if not token:
        raise NoToken(
            f"there is no token: set PERDURE_TOKEN, or start a server with `perdure up` (looked in {settings.data_dir})"
        )
    return token


class Client:
    """Asks one server. Never follows a redirect, so that the token goes nowhere else."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.session = requests.Session()
        self.session.auth = _Bearer(server.token)  # also keeps a .netrc from taking its place
        self.session.headers["User-Agent"] = "perdure-cli"
        self.session.trust_env = not is_loopback(server.url)  # no proxy leads to this machine
        self._clock_shift = timedelta(0)
        self._relay_url: str | None = None

    @classmethod
    def find(cls) -> Client:
        """A client for the server `find_server` finds."""
        return cls(find_server())

    @classmethod
    def of(cls, settings: Settings) -> Client:
        """A client for the server of these settings, with the token in their data directory. Raises: NoToken."""
        return cls(Server(settings.web_url, _kept_token(settings, is_own=True)))

    def again(self) -> Client:
        """Another connection to the same server, as of another device."""
        return Client(self._server)

    def now(self) -> datetime:
        """The server's time, as far as its last answer tells."""
        return datetime.now(UTC) + self._clock_shift

    def relay_url(self) -> str:
        """Where the process is that holds open connections. Raises as `get`."""
        if self._relay_url is None:
            told = self.get("/config/workflow")
            self._relay_url = str(told["relay"]["url"]) or self.url
        return self._relay_url

    def get(self, path: str, **query: Any) -> JsonObject:
        """Raises: Unreachable, Refused; so do all others here."""
        return self._json(self._send("GET", path, params=_given(query)))

    def post(self, path: str, body: JsonObject | None = None) -> JsonObject:
        """Change something, once: a lost answer is not asked for again."""
        return self._json(self._send("POST", path, json=body or {}))

    def delete(self, path: str) -> JsonObject:
        """Delete something."""
        return self._json(self._send("DELETE", path))

    def start(self, path: str, body: JsonObject) -> JsonObject:
        """Start a run, asking again after a lost connection; the key keeps it from being started twice."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        pause = Event()
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                return self._json(self._send("POST", path, json=body, headers=headers))
            except Unreachable:
                if attempt == START_ATTEMPTS:
                    raise
            pause.wait(START_PAUSE_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def state(self, run_id: str, known: str | None = None) -> tuple[str, JsonObject] | None:
        """The tag and the state document of a run; None when it is still the `known` one."""
        headers = {} if known is None else {"If-None-Match": known}
        answer = self._send("GET", "/workflow/state", params={"workflow_id": run_id}, headers=headers)
        if answer.status_code == 304:
            return None
        found = self._json(answer)
        return answer.headers.get("ETag", ""), found["state"]

    def pages(self, path: str, name: str, *, limit: int, **query: Any) -> list[JsonObject]:
        """Up to `limit` rows of a list, page by page."""
        rows: list[JsonObject] = []
        cursor: Any = None
        while len(rows) < limit:
            page = self.get(path, **query, cursor=cursor, limit=min(limit - len(rows), 200))
            rows += page[name]
            cursor = page.get("next")
            if cursor is None:
                break
        return rows[:limit]

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            answer = self.session.request(
                method,
                self.url + path,
                timeout=(CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S),
                allow_redirects=False,
                **options,
            )
        except requests.RequestException as error:
            raise Unreachable(f"{self.url} does not answer: {cause_of(error)}") from error
        self._note_time(answer)
        check(answer)
        return answer

    def _json(self, answer: requests.Response) -> JsonObject:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unreachable(f"{self.url} is not a Perdure server: its answer is no JSON object")
        return found

    def _note_time(self, answer: requests.Response) -> None:
        try:
            shift = parsedate_to_datetime(answer.headers.get("Date", "")) - datetime.now(UTC)
        except (TypeError, ValueError):
            return
        self._clock_shift = shift if abs(shift) > CLOCK_TOLERANCE else timedelta(0)


def check(answer: requests.Response) -> None:
    """Raises: Refused for an answer of 4xx, Unreachable for one of 5xx or a redirect."""
    status = answer.status_code
    if status < 300 or status == 304:
        return
    if status < 400:
        raise Unreachable(f"the server sends us on to {answer.headers.get('Location')}: set PERDURE_URL to that")
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "success" not in problem:
        # A proxy's own answer, or a server of something else.
        problem = {"detail": f"{answer.url} answered {status} {answer.reason}"}
    if status >= 500:
        error_id = f" (error id {problem['error_id']})" if "error_id" in problem else ""
        raise Unreachable(f"{problem.get('detail')}{error_id}")
    raise Refused(status, problem)


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cause_of(error: BaseException) -> str:
    """The innermost cause of a failed request in a few words."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    inner: BaseException = error
    while isinstance(inner.__context__, BaseException):
        inner = inner.__context__
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror.lower()
    return str(inner) or type(inner).__name__


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _given(query: JsonObject) -> JsonObject:
    return {name: value for name, value in query.items() if value is not None}
