"""A mend for kombu 5.7: a worker must outlive the loss of its broker while a task runs."""

from __future__ import annotations

from typing import Any

import redis.exceptions
from kombu.transport.redis import Channel as _Channel

Channel: Any = _Channel
_original = Channel._connparams


def _connparams(self: Any, asynchronous: bool = False) -> Any:
    # When the broker dies during a task, Celery asks a channel for a new socket after the channel's connection was
    # given up. kombu then reads attributes of None; the AttributeError is no connection error to Celery, so the worker
    # exits ("Unrecoverable error") instead of connecting again. A connection error says what really happened.
    if self.connection is None or self.connection.client is None:
        raise redis.exceptions.ConnectionError("this channel belongs to a broker connection that was lost")
    return _original(self, asynchronous)


def patch_kombu() -> None:
    """Apply the mend to this process. Doing it again changes nothing.

    It can go when tests/integration/messaging/test_broker_loss.py passes without it.
    """
    Channel._connparams = _connparams
