"""What the relays say of their connections, every few seconds; who says nothing for longer is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import redis

from messaging.reading import connect
from orchestration.errors import StreamUnavailable
from schemas.json import JsonObject

EVERY_S = 5.0
KEPT_S = 16
LISTED = 100
_INDEX = "perdure:relays"


class RelayFigures:
    """Written by each relay, read by whoever shows them. Opens nothing until the first call."""

    def __init__(self, redis_url: str, *, name: str = "perdure-relay-figures") -> None:
        self._client = connect(redis_url, timeout_s=1.0, name=name)

    def publish(self, relay: str, figures: Mapping[str, int | str]) -> None:
        """Say how a relay stands. Raises: StreamUnavailable."""
        try:
            with self._client.pipeline(transaction=False) as pipe:
                pipe.set(_key(relay), json.dumps(figures), ex=KEPT_S)
                pipe.sadd(_INDEX, relay)
                pipe.expire(_INDEX, 86_400)
                pipe.execute()
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error

    def all(self) -> list[JsonObject]:
        """The relays that live, by name. Raises: StreamUnavailable."""
        try:
            names = sorted(cast("set[str]", self._client.smembers(_INDEX)))[:LISTED]
            texts: list[Any] = self._client.mget([_key(name) for name in names]) if names else []
            known = list(zip(names, texts, strict=True))
            if gone := [name for name, text in known if text is None]:
                self._client.srem(_INDEX, *gone)
        except (redis.RedisError, OSError) as error:
            raise StreamUnavailable(f"Valkey cannot be reached: {error}") from error
        return [{"name": name} | json.loads(text) for name, text in known if text is not None]


def _key(relay: str) -> str:
    return f"perdure:relay:{relay}"
