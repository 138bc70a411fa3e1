"""Whether this process can serve, in one word."""

from __future__ import annotations

import logging
import threading
import time
from enum import StrEnum
from functools import partial

import redis

from orchestration.errors import StoreUnavailable
from orchestration.store.database import open_connection
from orchestration.store.readiness import is_migrated, keeps_session_locks

log = logging.getLogger(__name__)
# Probing session locks takes two new connections; what was found holds for a while.
LOCKS_KNOWN_FOR_S = 60.0
VALKEY_TIMEOUT_S = 1.0


class Readiness(StrEnum):
    """`degraded` still serves: runs are accepted and kept while Valkey is away."""

    READY = "ready"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"
    NOT_MIGRATED = "not_migrated"
    NO_SESSION_LOCKS = "no_session_locks"

    @property
    def serves(self) -> bool:
        return self in (Readiness.READY, Readiness.DEGRADED)


class ReadinessCheck:
    """Looks at PostgreSQL and Valkey. The reason for anything but `ready` goes to the log, not to the answer."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self._database_url = database_url
        self._redis_url = redis_url
        self._lock = threading.Lock()
        self._locks_known_until = 0.0

    def look(self) -> Readiness:
        """Where we stand now. One look at a time, so that nobody can open many connections by asking often."""
        with self._lock:
            found, reason = self._look()
        if found is not Readiness.READY:
            log.warning("%s: %s", found, reason)
        return found

    def _look(self) -> tuple[Readiness, str]:
        connect = partial(open_connection, self._database_url, name="perdure-ready")
        try:
            if not is_migrated(connect):
                return Readiness.NOT_MIGRATED, "run 'perdure migrate'"
            if time.monotonic() > self._locks_known_until:
                if not keeps_session_locks(connect):
                    return Readiness.NO_SESSION_LOCKS, "DATABASE_URL leads to a transaction pooler; connect directly"
                self._locks_known_until = time.monotonic() + LOCKS_KNOWN_FOR_S
        except StoreUnavailable as error:
            return Readiness.UNAVAILABLE, error.message
        try:
            with redis.Redis.from_url(
                self._redis_url, socket_timeout=VALKEY_TIMEOUT_S, socket_connect_timeout=VALKEY_TIMEOUT_S, retry=None
            ) as client:
                client.ping()
        except (redis.RedisError, OSError) as error:
            return Readiness.DEGRADED, f"Valkey: {error}"
        return Readiness.READY, ""
