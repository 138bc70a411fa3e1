"""How many messages wait in the queues. News, not truth: what waits to be done is in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import redis

from messaging.celery_app import transport_options
from messaging.circuit import Circuit, ServerAway
from messaging.reading import connect

TIMEOUT_S = 1.0


class QueueLengths:
    """Asks Valkey over a connection of its own. Safe to share between threads; opens nothing until the first call."""

    def __init__(self, redis_url: str, *, name: str = "perdure-queues") -> None:
        self._client = connect(redis_url, timeout_s=TIMEOUT_S, name=name)
        self._circuit = Circuit(failures=(redis.ConnectionError, redis.TimeoutError, OSError))

    def ask(self, queues: Sequence[str]) -> Mapping[str, int] | None:
        """The messages in each queue, in one round trip; those a worker took but has not begun are not among them.

        None while Valkey is away.
        """
        lists = [(queue, key) for queue in queues for key in _keys(queue)]

        def count() -> list[int]:
            with self._client.pipeline(transaction=False) as pipe:
                for _, key in lists:
                    pipe.llen(key)
                return pipe.execute()

        try:
            lengths = self._circuit.call(count) if lists else []
        except (redis.RedisError, OSError, ServerAway):
            return None
        found = dict.fromkeys(queues, 0)
        for (queue, _), length in zip(lists, lengths, strict=True):
            found[queue] += length
        return found


def _keys(queue: str) -> list[str]:
    """The lists of a queue, one a priority. Source: kombu.transport.redis.Channel._q_for_pri."""
    options = transport_options()
    return [f"{queue}{options['sep']}{priority}" if priority else queue for priority in options["priority_steps"]]
