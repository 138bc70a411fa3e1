"""What a keeper tells: that an attempt whose process is gone has ended, so that readers need not wait to find out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.events import Event

if TYPE_CHECKING:
    from messaging.stream import EventStream

FLUSH_S = 1.0


class KeeperNews:
    """Events of the ends that a keeper writes. It sends no messages: the step is due at once, the next sweep sends it.

    Publishing neither raises nor waits, so nothing that is wrong with Valkey comes near the leases. Nothing of it is
    there before somebody has died, not even the library: each worker has a keeper, and most never need it.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._stream: EventStream | None = None

    def send(self, steps: Any) -> None:
        """Leave it to the sweep."""
        del steps

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        """Tell whoever watches the run."""
        if self._stream is None:
            from messaging.stream import EventStream

            self._stream = EventStream(self._redis_url, name="perdure-keeper")
        self._stream.publish(run_id, events, final=final)

    def close(self) -> None:
        """Wait a moment for what is not sent yet."""
        if self._stream is not None:
            self._stream.flush(FLUSH_S)
            self._stream.close()
