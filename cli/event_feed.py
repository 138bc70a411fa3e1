"""A run's events from the relay, in a thread that reconnects for as long as it is wanted."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import requests

from cli.client import CONNECT_TIMEOUT_S, Client, Refused, Unreachable, check
from schemas.json import JsonObject

# The relay says something every 15 s.
SILENCE_S = 40.0
FIRST_PAUSE_S = 0.3
LONGEST_PAUSE_S = 5.0
REFUSED_PAUSE_S = 15.0


@dataclass(frozen=True)
class Came:
    """An event of the run."""

    event: JsonObject


@dataclass(frozen=True)
class LinkChanged:
    """The channel is up or down. `missed`: events may have been lost, so the state must be read."""

    is_up: bool
    missed: bool = True


News = Came | LinkChanged


class EventFeed:
    """Puts what the relay tells of one run into `news`."""

    def __init__(self, client: Client, run_id: str, news: queue.SimpleQueue[News]) -> None:
        """Name a run; nothing is asked before `start()`."""
        self._client = client
        self._run_id = run_id
        self._news = news
        self._last_id: str | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin in a thread of its own."""
        threading.Thread(target=self._run, name="event-feed", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end; it does not hold up the end of the process."""
        self._stopped.set()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopped.is_set():
            was_up = False
            try:
                with self._open() as answer:
                    for news in self._read(answer):
                        was_up = True
                        self._news.put(news)
                        if self._stopped.is_set():
                            return
            except (Unreachable, requests.RequestException):
                pass
            except Refused:
                # Whether the token still holds is for the state's request to say.
                pause_s = REFUSED_PAUSE_S
            self._news.put(LinkChanged(is_up=False))
            if was_up:
                pause_s = FIRST_PAUSE_S
            self._stopped.wait(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _open(self) -> contextlib.closing[requests.Response]:
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        answer = self._client.session.get(
            self._client.relay_url() + "/workflow/events",
            params={"workflow_id": self._run_id},
            headers=headers,
            stream=True,
            timeout=(CONNECT_TIMEOUT_S, SILENCE_S),
            allow_redirects=False,
        )
        try:
            check(answer)
        except (Refused, Unreachable):
            answer.close()
            raise
        return contextlib.closing(answer)

    def _read(self, answer: requests.Response) -> Iterator[News]:
        resumed = self._last_id is not None
        for message in parse_events(answer.iter_content(chunk_size=None)):
            if message.id:
                self._last_id = message.id
            if message.name == "subscribed":
                yield LinkChanged(is_up=True, missed=not resumed)
            elif message.name == "truncated":
                yield LinkChanged(is_up=True)
            elif message.name == "workflow_event":
                with contextlib.suppress(ValueError, KeyError):
                    yield Came(json.loads(message.data)["event"])


@dataclass(frozen=True)
class Message:
    """One server-sent event."""

    name: str
    data: str
    id: str


def parse_events(pieces: Iterable[bytes]) -> Iterator[Message]:
    """The messages in a stream that comes in pieces. Source: the HTML standard, "Server-sent events"."""
    fields: dict[str, str] = {}
    for line in _lines(pieces):
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in fields:
                value = f"{fields['data']}\n{value}"
            fields[name] = value
            continue
        if "data" in fields:
            yield Message(fields.get("event", "message"), fields["data"], fields.get("id", ""))
        fields = {}


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
