"""A message while it is written, from the relay: joined again wherever the connection was lost."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator

import requests

from cli.client import CONNECT_TIMEOUT_S, Client, Unreachable, check
from cli.event_feed import SILENCE_S, parse_events
from schemas.json import JsonObject

PAUSE_S = 0.3


class Reader:
    """Follows one message.

    `text` is all of it so far, `joined` counts connections, `rewritten` how often what was read became another text.
    """

    def __init__(self, client: Client, message_id: str) -> None:
        self.text = ""
        self.joined = 0
        self.rewritten = 0
        self._shown = ""
        self._client = client
        self._message_id = message_id
        self._last_id: str | None = None

    def follow(self, on_text: Callable[[str], None], *, patience_s: float = 120.0) -> JsonObject:
        """Read to the end, and answer the message as it is stored. `on_text` is given each piece, in order.

        Raises: TimeoutError after `patience_s` seconds; cli.client.Refused when the server does not let it read.
        """
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with contextlib.suppress(Unreachable, requests.RequestException), self._open() as answer:
                self.joined += 1
                for message in parse_events(answer.iter_content(chunk_size=None)):
                    self._last_id = message.id or self._last_id
                    data: JsonObject = json.loads(message.data)
                    match message.name:
                        case "snapshot" | "done":
                            self._become(data["text"], on_text)
                        case "delta":
                            self._become(self.text[: data["offset"]] + data["text"], on_text)
                    if message.name == "done":
                        return data
                    if time.monotonic() > deadline:
                        break
            time.sleep(PAUSE_S)
        raise TimeoutError(f"the answer was not written within {patience_s:g} s")

    def _become(self, text: str, on_text: Callable[[str], None]) -> None:
        self.text = text
        if self._shown.startswith(text):
            return  # its next attempt goes on from where it was stored, and has not come to what was read
        if not text.startswith(self._shown):
            self.rewritten += 1
            self._shown = ""
            on_text("\n")
        new, self._shown = text[len(self._shown) :], text
        on_text(new)

    @contextlib.contextmanager
    def _open(self) -> Iterator[requests.Response]:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        path = f"{self._client.relay_url()}/api/chat/messages/{self._message_id}/events"
        with self._client.session.get(
            path, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT_S, SILENCE_S)
        ) as answer:
            check(answer)
            yield answer
