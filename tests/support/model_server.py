"""A server that speaks OpenAI's chat completions, as a process of its own: `python -m tests.support.model_server`.

What it answers is made of the messages alone (`answer_tokens`). How it behaves, a request says by its model's name:
`any-name?tokens=50&per_s=30&hang_after=5` (`Behaviour` has the words), or a test by `ModelServer.behave` for a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

WORDS = ("river", "stone", "window", "garden", "letter", "morning", "engine", "forest", "silver", "harbour")
KEY = "sk-stand-in-5f3b9c2e7a"
MODELS = ("words", "stamps")


@dataclass(frozen=True)
class Behaviour:
    """How an answer goes. Counts are of tokens; 0 of a failure means that it does not happen."""

    tokens: int = 40
    thoughts: int = 0  # pieces of reasoning before the first token
    per_s: float = 0.0  # 0: all at once
    first_s: float = 0.0  # before the answer's head is sent
    first_token_s: float = 0.0  # between the head and the first token
    fail: int = 0  # status to answer with
    fail_times: int = 1_000_000  # requests for this model's name that fail
    retry_after: str = ""
    echo_key: int = 0  # the failure's text quotes the key
    code: str = ""  # the failure's `error.code`
    cut_after: int = 0  # the connection is closed after so many tokens
    end_after: int = 0  # the stream ends properly, without a finish reason
    hang_after: int = 0  # nothing more is sent, and the connection stays
    hang: int = 0  # not even a head is sent
    malformed_after: int = 0  # then a chunk that is no JSON
    error_after: int = 0  # then a chunk with an error
    usage: int = 1
    done: int = 1  # whether `[DONE]` ends the stream
    reuse: int = 1  # whether the connection may be used again
    stamp: int = 0  # each token is `<number>:<monotonic ns of its sending> `
    key_needed: int = 0
    echo_prefix: int = 0  # what the answer begins with is sent again, as Mistral does
    comments: int = 0  # while it hangs, a comment every 50 ms
    samples: int = 0  # each answer is in other words; one that goes on counts on from the words it begins with
    joined: int = 0  # chunks are split in the midst of lines and characters

    @classmethod
    def named(cls, model: str, base: Behaviour) -> Behaviour:
        """What the model's name says, else `base`."""
        words = dict(parse_qsl(model.partition("?")[2]))
        kinds = {field.name: type(getattr(base, field.name)) for field in fields(cls)}
        return replace(base, **{word: kinds[word](value) for word, value in words.items()})


def answer_tokens(messages: Sequence[dict[str, Any]], count: int) -> list[str]:
    """The answer to these messages. Each token is different, so that lost, doubled or swapped ones are seen."""
    told = [(message["role"], message["content"]) for message in messages]
    number = hashlib.sha256(repr(told).encode()).hexdigest()[:6]
    return [f"{WORDS[place % len(WORDS)]}-{number}-{place} " for place in range(count)]


def answer_text(messages: Sequence[dict[str, Any]], count: int) -> str:
    """The same as one text."""
    return "".join(answer_tokens(messages, count))


@dataclass
class Asked:
    """A request, as the control endpoint tells of it. Times are monotonic seconds, the same for all processes."""

    number: int
    model: str
    body: dict[str, Any]
    connection: int
    asked_at: float
    key: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    first_at: float | None = None
    sent: int = 0
    ended_at: float | None = None
    ended: str = ""  # answered, failed, cut, or left: the client closed the connection first


@dataclass
class Counts:
    """All that happened since the last reset."""

    requests: list[Asked] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    open: int = 0


class Connection(asyncio.Protocol):
    """One client."""

    counts = Counts()

    def __init__(self) -> None:
        self._buffer = b""
        self._asked: Asked | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.counts.connections += 1
        self.counts.open += 1
        self._number = self.counts.connections

    def connection_lost(self, _error: Exception | None) -> None:
        self.counts.open -= 1
        self._end("left")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = lines[0].split(" ", 2)
        self._route(method, urlsplit(target).path, headers, rest[:length])

    def _route(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        counts = self.counts
        match method, path:
            case "POST", "/v1/chat/completions":
                self._complete(json.loads(body), headers)
            case "GET", "/v1/models":
                self._json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in MODELS]})
            case "GET", "/control":
                # The connection that asks is not counted.
                told = {"requests": [asdict(asked) for asked in counts.requests], "open": counts.open - 1}
                self._json(200, told | {"connections": counts.connections, "now": time.monotonic()}, close=True)
            case "POST", "/control/behave":
                said = json.loads(body)
                counts.behaviours[said["model"]] = Behaviour(**said["behaviour"])
                counts.failed.pop(said["model"], None)
                self._json(200, {}, close=True)
            case "POST", "/control/reset":
                counts.requests, counts.behaviours, counts.failed = [], {}, {}
                self._json(200, {}, close=True)
            case _:
                self._json(404, {"error": {"message": f"no {method} {path}", "code": "not_found"}})

    def _complete(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        model = body["model"]
        key = headers.get("authorization", "").removeprefix("Bearer ")
        asked = Asked(len(self.counts.requests), model, body, self._number, time.monotonic(), key, headers)
        self.counts.requests.append(asked)
        self._asked = asked
        behaviour = Behaviour.named(model, self.counts.behaviours.get(model.partition("?")[0], Behaviour()))
        if behaviour.hang:
            return
        if behaviour.key_needed and key != KEY:
            behaviour = replace(behaviour, fail=401, echo_key=1)
        failed = self.counts.failed.get(model, 0)
        if behaviour.fail and failed < behaviour.fail_times:
            self.counts.failed[model] = failed + 1
            self._later(behaviour.first_s, lambda: self._fail(behaviour, key))
            return
        answer = Answer(self, asked, behaviour)
        self._later(behaviour.first_s, answer.begin if body.get("stream") else answer.whole)

    def _fail(self, behaviour: Behaviour, key: str) -> None:
        quoted = f" Your key was {key}." if behaviour.echo_key else ""
        error = {"message": f"The request failed.{quoted}", "type": "stand_in", "code": behaviour.code or None}
        extra = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else {}
        self._json(behaviour.fail, {"error": error}, extra)
        self._end("failed")

    def _json(
        self, status: int, body: dict[str, Any], extra: dict[str, str] | None = None, *, close: bool = False
    ) -> None:
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))} | (extra or {})
        if close:
            headers["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.write(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + data)
        if close:
            self._transport.close()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def _later(self, seconds: float, act: Any) -> None:
        if seconds <= 0:
            act()
        else:
            self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def at(self, when: float, act: Any) -> None:
        """Call `act` at this time of the loop."""
        self._timer = asyncio.get_running_loop().call_at(when, act)

    def answered(self, *, reuse: bool) -> None:
        self._end("answered")
        if not reuse:
            self._transport.close()

    def cut(self) -> None:
        """End the connection in the midst of an answer."""
        self._end("cut")
        self._transport.close()

    def _end(self, how: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asked is not None:
            self._asked.ended_at, self._asked.ended = time.monotonic(), how
            self._asked = None


class Answer:
    """An answer as it is sent."""

    def __init__(self, connection: Connection, asked: Asked, behaviour: Behaviour) -> None:
        body = asked.body
        self._connection, self._asked, self._behaviour = connection, asked, behaviour
        messages = list(body["messages"])
        prefix = ""
        last = messages[-1]
        if last["role"] == "assistant" and (last.get("prefix") or body.get("continue_final_message")):
            prefix = messages.pop()["content"]
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or behaviour.tokens
        tokens = answer_tokens(messages, behaviour.tokens)
        begun = 0
        if behaviour.samples:
            tokens = [f"{WORDS[place % len(WORDS)]}-s{asked.number}-{place} " for place in range(behaviour.tokens)]
            begun = prefix.count(" ")
        while not behaviour.samples and begun < len(tokens) and prefix.startswith("".join(tokens[: begun + 1])):
            begun += 1
        self._tokens = tokens[begun:][:limit]
        if behaviour.echo_prefix and prefix:
            self._tokens = [prefix[:7], prefix[7:], *self._tokens]
        self._finish = "length" if len(tokens) - begun > limit else "stop"
        self._told = sum(len(message["content"].split()) for message in messages)
        self._next_at = 0.0
        common = {"id": f"chatcmpl-{asked.number}", "object": "chat.completion.chunk", "created": 1}
        self._head = json.dumps(common | {"model": asked.model}, separators=(",", ":"))[:-1]

    def begin(self) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._connection.write(head.encode())
        loop = asyncio.get_running_loop()
        self._next_at = loop.time() + self._behaviour.first_token_s
        if self._behaviour.first_token_s:
            self._connection.at(self._next_at, self._next)
        else:
            self._next()

    def whole(self) -> None:
        """Answer in one piece, to a client that asked for no stream."""
        text = "".join(self._tokens)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self._finish}
        self._asked.first_at, self._asked.sent = time.monotonic(), len(self._tokens)
        answer = {"id": f"chatcmpl-{self._asked.number}", "object": "chat.completion", "created": 1}
        self._connection._json(200, answer | {"model": self._asked.model, "choices": [choice], "usage": self._usage()})
        self._connection.answered(reuse=bool(self._behaviour.reuse))

    def _next(self) -> None:
        """Send the next token, or all that are due, and come back for the one after."""
        behaviour, asked = self._behaviour, self._asked
        while True:
            sent = asked.sent
            if sent and sent == behaviour.cut_after:
                return self._connection.cut()
            if sent and sent == behaviour.hang_after:
                return self._comment() if behaviour.comments else None
            if sent and sent == behaviour.malformed_after:
                self._data(b'{"choices": [{"delta": {"content": "half')
                return self._end_stream()
            if sent and sent == behaviour.error_after:
                error = {"message": f"Overloaded. Your key was {asked.key}.", "code": behaviour.code or None}
                self._data(json.dumps({"error": error}).encode())
                return self._end_stream()
            if sent and sent == behaviour.end_after:
                return self._end_stream()
            if sent == len(self._tokens):
                return self._finished()
            if not sent:
                self._think()
            self._token(sent)
            if behaviour.per_s:
                self._next_at += 1 / behaviour.per_s
                if self._next_at > asyncio.get_running_loop().time():
                    return self._connection.at(self._next_at, self._next)

    def _token(self, place: int) -> None:
        now = time.monotonic_ns()
        if place == 0:
            self._asked.first_at = now / 1e9
        text = f"{place}:{now} " if self._behaviour.stamp else self._tokens[place]
        self._asked.sent += 1
        choice = f'{{"index":0,"delta":{{"content":{json.dumps(text)}}},"finish_reason":null}}'
        self._data(f'{self._head},"sent_ns":{now},"choices":[{choice}]}}'.encode())

    def _think(self) -> None:
        for number in range(self._behaviour.thoughts):
            thought = f'{{"index":0,"delta":{{"content":null,"reasoning_content":"hm {number}"}},"finish_reason":null}}'
            self._data(f'{self._head},"choices":[{thought}]}}'.encode())

    def _comment(self) -> None:
        self._chunk(b": still here\n\n")
        self._connection.at(asyncio.get_running_loop().time() + 0.05, self._comment)

    def _finished(self) -> None:
        choice = f'{{"index":0,"delta":{{}},"finish_reason":"{self._finish}"}}'
        self._data(f'{self._head},"choices":[{choice}]}}'.encode())
        if self._behaviour.usage and (self._asked.body.get("stream_options") or {}).get("include_usage"):
            self._data(f'{self._head},"choices":[],"usage":{json.dumps(self._usage())}}}'.encode())
        self._end_stream(done=bool(self._behaviour.done))

    def _end_stream(self, *, done: bool = False) -> None:
        if done:
            self._data(b"[DONE]")
        self._connection.write(b"0\r\n\r\n")
        self._connection.answered(reuse=bool(self._behaviour.reuse))

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self._told,
            "completion_tokens": len(self._tokens),
            "total_tokens": self._told + len(self._tokens),
        }

    def _data(self, data: bytes) -> None:
        event = b"data: " + data + b"\n\n"
        if self._behaviour.joined:
            for start in range(0, len(event), 11):
                self._chunk(event[start : start + 11])
        else:
            self._chunk(event)

    def _chunk(self, data: bytes) -> None:
        self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))


async def serve() -> None:
    """Serve until SIGTERM or until standard input ends, which it does when the parent dies. Prints the port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_reader(sys.stdin.fileno(), ended.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
