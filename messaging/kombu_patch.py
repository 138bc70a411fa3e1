"""Mends for kombu 5.7: a worker must outlive the loss of its broker, whenever it comes and however short it is; and not
make a new client for each command.
"""

from __future__ import annotations

from typing import Any

import redis.exceptions
from kombu.transport.redis import Channel as _Channel
from redis.backoff import NoBackoff
from redis.retry import Retry

Channel: Any = _Channel
_original = Channel._connparams
_make_client = Channel._create_client


def _connparams(self: Any, asynchronous: bool = False) -> Any:
    # When the broker dies during a task, Celery asks a channel for a new socket after the channel's connection was
    # given up. kombu then reads attributes of None; the AttributeError is no connection error to Celery, so the worker
    # exits ("Unrecoverable error") instead of connecting again. A connection error says what really happened.
    if self.connection is None or self.connection.client is None:
        raise redis.exceptions.ConnectionError("this channel belongs to a broker connection that was lost")
    params = _original(self, asynchronous)
    if asynchronous:
        # The connections of the event loop. redis-py would open them again by itself: when the broker is back before
        # the loop has seen that it was gone, the loop then waits for a message of remote control on a new socket that
        # nobody polls, for minutes, and takes no task meanwhile. Celery shall hear of the loss, and connect anew.
        params["retry"] = Retry(NoBackoff(), 0)
    return params


def _create_client(self: Any, asynchronous: bool = False) -> Any:
    # kombu makes a client for each command, of which there are three a message; making one takes redis-py 8 longer than
    # the command. A client holds nothing but its pool.
    if asynchronous:
        return _make_client(self, True)
    client = self.__dict__.get("_kept_client")
    if client is None or client.connection_pool is not self.pool:
        client = self.__dict__["_kept_client"] = _make_client(self)
    return client


def patch_kombu() -> None:
    """Apply the mends to this process. Doing it again changes nothing.

    The first two can go when tests/integration/messaging/test_broker_loss.py and tests/faults/test_outages.py pass
    without them.
    """
    Channel._connparams = _connparams
    Channel._create_client = _create_client
