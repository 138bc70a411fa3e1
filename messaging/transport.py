"""kombu's Redis transport as workers and senders use it: what is in hand is kept in memory alone, not in Valkey too.

`Celery(amqp=Amqp)` chooses it for one app. URLs and names stay kombu's, since Flower and others read them, and programs
that use kombu's own transport (`celery inspect` without an app) talk with those that use this one.
`docs/decisions/0023-messages-in-hand.md` says what that costs and what it spares.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import redis.exceptions
from celery.app.amqp import AMQP
from kombu import connection as of_kombu
from kombu.transport import virtual
from kombu.transport.redis import Channel as _RedisChannel
from kombu.transport.redis import Transport as _RedisTransport
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

# The types known of kombu leave out what begins with an underscore, which is what a transport is made of.
RedisChannel: Any = _RedisChannel
InMemory: Any = virtual.QoS
KombuConnection: Any = of_kombu.Connection
KombuPooled: Any = of_kombu.PooledConnection
KombuPool: Any = of_kombu.ConnectionPool

# Bodies are JSON and stand in the message as they are; kombu's default of base64 makes them a third longer.
BODY_ENCODING = "utf-8"
# Messages a round trip: a fan-out of thousands shall not be one write of megabytes.
BATCH = 500


class QoS(InMemory):  # type: ignore[misc]
    """Knows which messages are in hand, for the prefetch limit and to put them back at the end.

    kombu's QoS of Redis also writes each message to a hash and removes it from there again, two transactions a message
    in the loop that feeds the pool, to send it again an hour after its worker died. The sweep does that within seconds.
    """

    def restore_unacked(self) -> list[Any]:
        """Put back what was fetched and not begun, first in its queue as it was. With the broker gone it is dropped."""
        self._flush()
        # The one fetched last first: each goes before those that are there.
        messages = [message for _, message in reversed(self._delivered.items())]
        self._delivered.clear()
        channel: Any = self.channel
        try:
            channel.put_back(messages)
        except channel.connection_errors as error:
            log.warning(
                "broker away, the sweep will send again what was in hand: %d messages (%s)", len(messages), error
            )
        return []


class Channel(RedisChannel):  # type: ignore[misc]
    """A channel that outlives the loss of its broker, and keeps one client instead of making one for each command."""

    QoS = QoS

    def push(self, messages: Sequence[tuple[str, int, str]]) -> None:
        """Put messages, each a queue, a Redis priority and JSON, behind those that wait there.

        One round trip for each `BATCH`, and in it one command a queue and priority.

        Raises: kombu's connection errors of Redis.
        """
        for start in range(0, len(messages), BATCH):
            texts: dict[str, list[str]] = {}
            for queue, priority, text in messages[start : start + BATCH]:
                texts.setdefault(self._q_for_pri(queue, priority), []).append(text)
            self._push(texts)

    def _push(self, texts: Mapping[str, Sequence[str]]) -> None:
        with self.conn_or_acquire() as client:
            if len(texts) == 1:
                [(key, of_key)] = texts.items()
                client.lpush(key, *of_key)
                return
            with client.pipeline(transaction=False) as pipe:
                for key, of_key in texts.items():
                    pipe.lpush(key, *of_key)
                pipe.execute()

    def lengths(self, places: Sequence[tuple[str, int]]) -> list[int]:
        """How many messages wait in each place, a queue and a Redis priority, in one round trip. Raises as `push`."""
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for queue, priority in places:
                pipe.llen(self._q_for_pri(queue, priority))
            lengths: list[int] = pipe.execute()
        return lengths

    def put_back(self, messages: list[Any], *, last: bool = False) -> None:
        """Put messages into their queues again, to be fetched next, in one round trip. `last`: behind all others.

        Raises: kombu's connection errors of Redis.
        """
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for message in messages:
                at = message.delivery_info
                self._do_restore_message(message._raw, at["exchange"], at["routing_key"], pipe, last)
            pipe.execute()

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        self.put_back([message], last=leftmost)

    def _connparams(self, asynchronous: bool = False) -> Any:
        # When the broker dies during a task, Celery asks a channel for a new socket after the channel's connection was
        # given up. kombu then reads attributes of None; the AttributeError is no connection error to Celery, so the
        # worker exits ("Unrecoverable error") instead of connecting again. A connection error says what happened.
        if self.connection is None or self.connection.client is None:
            raise redis.exceptions.ConnectionError("this channel belongs to a broker connection that was lost")
        params = super()._connparams(asynchronous)
        if asynchronous:
            # The connections of the event loop. redis-py would open them again by itself: when the broker is back
            # before the loop has seen that it was gone, the loop then waits for a message of remote control on a new
            # socket that nobody polls, for minutes, and takes no task meanwhile. Celery shall hear of the loss.
            params["retry"] = Retry(NoBackoff(), 0)
        return params

    def _create_client(self, asynchronous: bool = False) -> Any:
        # kombu makes a client for each command; making one takes redis-py 8 longer than the command. A client holds
        # nothing but its pool.
        if asynchronous:
            return super()._create_client(True)
        client = self.__dict__.get("_kept_client")
        if client is None or client.connection_pool is not self.pool:
            client = self.__dict__["_kept_client"] = super()._create_client()
        return client


class Transport(_RedisTransport):
    """Redis with our channels."""

    Channel = Channel


class Connection(KombuConnection):  # type: ignore[misc]
    """A connection that uses our transport wherever its URL asks for that of Redis: redis, rediss, redis+socket."""

    def get_transport_cls(self) -> Any:
        """The class that talks to the broker."""
        return Transport if self.transport_cls in ("redis", "rediss") else super().get_transport_cls()

    def Pool(self, limit: int | None = None, **_: Any) -> Pool:  # noqa: N802  # kombu's name
        """A pool of such connections."""
        return Pool(self, limit)


class Pooled(Connection, KombuPooled):  # type: ignore[misc]
    """Goes back to its pool when its block ends."""


class Pool(KombuPool):  # type: ignore[misc]
    """A pool of such connections."""

    def new(self) -> Pooled:
        """One more, as the connection the pool was made for."""
        return Pooled(self, **dict(self.connection._info(resolve=False)))


class Amqp(AMQP):
    """What a Celery app makes its connections with."""

    Connection = Connection
