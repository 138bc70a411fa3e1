"""What a keeper has to write: ends of attempts whose process is gone, and attempts that nobody knows they claimed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from orchestration.core.decide import HandedBack, Outcome
from orchestration.engine.leases import Held
from orchestration.engine.sweep import Sweep
from orchestration.errors import StoreRefused, StoreUnavailable
from workers.watches import Claim, Client

log = logging.getLogger("perdure.keeper")

RETRY_S = 0.2
# A claim whose connection was given up may still wait for a lock, for up to 10 s.
LAST_LOOK_S = 12.0


class Endings:
    """Writes as soon as PostgreSQL takes it. `clients` answers the worker's processes, all they said included."""

    def __init__(self, sweep: Sweep, owner: str, clients: Callable[[], Sequence[Client]]) -> None:
        self._sweep = sweep
        self._owner = owner
        self._clients = clients
        self._ends: list[tuple[Held, Outcome]] = []
        self._looks: list[tuple[float, Claim]] = []
        self._not_before = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no end waits to be written; looks may be left to the lease."""
        return not self._ends

    @property
    def next_at(self) -> float | None:
        """When `settle` has something to do."""
        times = [at for at, _ in self._looks] + [0.0] * bool(self._ends)
        return max(self._not_before, min(times)) if times else None

    def add(self, held: Held, outcome: Outcome) -> None:
        """End an attempt, if it is still held then."""
        self._ends.append((held, outcome))

    def look_for(self, claim: Claim) -> None:
        """Look for an attempt that nobody knows of; once more when a claim that waits for a lock must be through."""
        now = time.monotonic()
        self._looks += [(now, claim), (now + LAST_LOOK_S, claim)]

    def settle(self) -> None:
        """Write what can be written; the leases stand behind the rest."""
        if time.monotonic() < self._not_before:
            return
        try:
            while self._ends:
                self._end(*self._ends[0])
                self._ends.pop(0)
            now = time.monotonic()
            for look in [look for look in self._looks if look[0] <= now]:
                self._hand_back(look[1])
                self._looks.remove(look)
        except StoreUnavailable:
            self._not_before = time.monotonic() + RETRY_S

    def give_up(self) -> None:
        """Leave everything to the janitors of other workers, who find the leases."""
        self._ends.clear()
        self._looks.clear()

    def _hand_back(self, claim: Claim) -> None:
        """Hand back an attempt of this worker that none of its processes knows of: it never began."""
        found = self._sweep.claimed_by(self._owner, *claim)
        run_id = claim[0]
        # Asked after the look: whoever of ours claimed the step in the meantime said so before it did.
        clients = self._clients()
        for held in found:
            if any(held in client.watches for client in clients):
                continue
            if any(client.may_hold((run_id, held.position)) for client in clients):
                self._looks.append((time.monotonic() + RETRY_S, claim))
            else:
                self._end(held, HandedBack())

    def _end(self, held: Held, outcome: Outcome) -> None:
        try:
            self._sweep.end_attempt(held, outcome)
        except StoreRefused as refused:
            # The whole worker would die with its keeper; the lease stands behind this one attempt.
            log.error("attempt not ended: %s", refused, extra={"run": held.run, "position": held.position})
