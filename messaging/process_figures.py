"""What relays and workers say of themselves, every few seconds; who says nothing for longer is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast

import redis

from messaging.reading import connect
from orchestration.errors import StreamUnavailable
from schemas.json import JsonObject

EVERY_S = 5.0
KEPT_S = 16
LISTED = 100
Kind = Literal["relay", "worker"]


class ProcessFigures:
    """Written by each process of a kind, read by whoever shows them. Opens nothing until the first call."""

    def __init__(self, redis_url: str, kind: Kind) -> None:
        self._client = connect(redis_url, timeout_s=1.0, name=f"perdure-{kind}-figures")
        self._kind = kind
        self._index = f"perdure:{kind}s"

    def publish(self, name: str, figures: Mapping[str, int | str]) -> None:
        """Say how a process stands. Raises: StreamUnavailable."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                pipe.set(self._key(name), json.dumps(figures), ex=KEPT_S)
                pipe.sadd(self._index, name)
                pipe.expire(self._index, 86_400)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error

    def all(self) -> list[JsonObject]:
        """Those that live, by name. Raises: StreamUnavailable."""
        try:
            names = sorted(cast("set[str]", self._client.smembers(self._index)))[:LISTED]
            texts: list[Any] = self._client.mget([self._key(name) for name in names]) if names else []
            known = list(zip(names, texts, strict=True))
            if gone := [name for name, text in known if text is None]:
                self._client.srem(self._index, *gone)
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error
        return [{"name": name} | json.loads(text) for name, text in known if text is not None]

    def _key(self, name: str) -> str:
        return f"perdure:{self._kind}:{name}"
