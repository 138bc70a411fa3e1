"""Request limits over Valkey; per process while Valkey is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, TypeVar

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from api.refusal import Refusal
from api.refusal_log import RefusalLog

log = logging.getLogger(__name__)
View = TypeVar("View", bound=Callable[..., Any])

SIGN_IN_ATTEMPTS = "10/minute"
# How long a request may wait for Valkey, and how long it is then left alone, seconds.
VALKEY_TIMEOUT_S = 0.5
VALKEY_PAUSE_S = 5.0


def limited(rate: str) -> Callable[[View], View]:
    """Say that calls of a view count against this rate of its caller. Counted before the body is looked at."""

    def mark(view: View) -> View:
        view.limited_by = rate  # type: ignore[attr-defined]
        return view

    return mark


class Limiter:
    """Counts requests in a moving window. While Valkey is away each process counts for itself."""

    def __init__(self, redis_url: str, rates: Mapping[str, str]) -> None:
        # The library's own name for a socket's address.
        self._redis_url = redis_url.replace("unix://", "redis+unix://", 1)
        self._rates: dict[str, RateLimitItem] = {
            name: parse(rate) for name, rate in {"sign_in": SIGN_IN_ATTEMPTS, **rates}.items()
        }
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._shared: MovingWindowRateLimiter | None = None
        self._retry_at = 0.0
        self.refusals = RefusalLog()

    def hit(self, name: str, who: str, cost: int = 1) -> None:
        """Count a request of `who`, that stands for `cost` of them; one that is refused counts nothing.

        Raises: Refusal (429 with Retry-After) when it is one too many; without Retry-After when it always will be.
        """
        try:
            self._hit(self._rates[name], name, who, cost)
        except Refusal:
            self.refusals.note(f"{name}, over its limit,", who)
            raise

    def _hit(self, rate: RateLimitItem, name: str, who: str, cost: int) -> None:
        if cost > rate.amount:
            raise Refusal(
                429,
                "rate_limited",
                f"{cost} at once, but at most {rate.amount} of these in {rate.get_expiry()} s are accepted",
                mend=f"send at most {rate.amount} at a time",
            )
        limiter = self._shared_limiter()
        if limiter is not None:
            try:
                return self._count(limiter, rate, name, who, cost)
            except StorageError as error:
                self._retry_at = time.monotonic() + VALKEY_PAUSE_S
                log.warning("limits are counted per process, Valkey cannot be reached: %s", error)
        return self._count(self._local, rate, name, who, cost)

    def _shared_limiter(self) -> MovingWindowRateLimiter | None:
        if time.monotonic() < self._retry_at:
            return None
        if self._shared is None:
            storage = RedisStorage(
                self._redis_url,
                key_prefix="perdure:limit",
                wrap_exceptions=True,
                socket_timeout=VALKEY_TIMEOUT_S,
                socket_connect_timeout=VALKEY_TIMEOUT_S,
            )
            self._shared = MovingWindowRateLimiter(storage)
        return self._shared

    @staticmethod
    def _count(limiter: MovingWindowRateLimiter, rate: RateLimitItem, name: str, who: str, cost: int) -> None:
        if limiter.hit(rate, name, who, cost=cost):
            return
        wait_s = max(1, ceil(limiter.get_window_stats(rate, name, who).reset_time - time.time()))
        raise Refusal(
            429,
            "rate_limited",
            f"at most {rate.amount} of these in {rate.get_expiry()} s are accepted",
            mend=f"try again in {wait_s} s",
            headers={"Retry-After": str(wait_s)},
        )
