"""Scripts that workers run on Valkey to decide something together: quick or not at all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, TypeVar

import redis

from messaging.circuit import Circuit, ServerAway
from messaging.reading import connect
from orchestration.errors import StreamUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT_S = 1.0


class SharedScript:
    """One of our Lua scripts on a server. Safe to share between threads; opens nothing until the first call."""

    def __init__(self, redis_url: str, file: str) -> None:
        self.client = connect(redis_url, timeout_s=TIMEOUT_S, name=f"perdure-{file.partition('.')[0]}")
        # A server that is frozen, not gone, would cost every step the time limit at each call.
        self._circuit = Circuit(failures=(redis.RedisError, OSError))
        self._text = files("messaging").joinpath(file).read_text()
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def ask(self, keys: Sequence[str], *values: str) -> list[str] | None:
        """What the script answers; None when the server is away, which is logged and costs the next callers nothing."""
        try:
            return self._circuit.call(lambda: self._call(keys, values))
        except ServerAway:
            return None
        except (redis.RedisError, OSError) as error:
            log.warning("Valkey not asked, steps pass: %s", error, extra={"key": keys[0]})
            return None

    def order(self, keys: Sequence[str], *values: str) -> list[str]:
        """Like `ask`, for people: they are told. Raises: StreamUnavailable when the server is away."""
        return self.reading(lambda: self._call(keys, values))

    def reading(self, work: Callable[[], T]) -> T:
        """The result of `work` on the client. Raises: StreamUnavailable when the server is away."""
        try:
            return work()
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error

    def _call(self, keys: Sequence[str], values: Sequence[str]) -> list[str]:
        # Not by redis-py's `Script`, which takes 3 ms to find out what kind of client it has.
        try:
            answer: Any = self.client.evalsha(self._sha, len(keys), *keys, *values)
        except redis.exceptions.NoScriptError:  # a server that is new or was restarted
            self.client.script_load(self._text)
            answer = self.client.evalsha(self._sha, len(keys), *keys, *values)
        found: list[str] = answer
        return found
