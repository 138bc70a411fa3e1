"""The path of a step: claim, act, commit, tell. Safe to run twice for the same message: one claims the row."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from orchestration.actions.context import CancelToken
from orchestration.core.decide import Failed, Outcome, StepError, Succeeded
from orchestration.engine.attempts import Attempts, Finished, Lease
from orchestration.errors import LeaseLost, StoreUnavailable
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from workers.acting import Acting
from workers.emitter import Emitter, Flusher
from workers.keeper_client import KeeperClient

log = logging.getLogger("perdure.runner")

_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.0)

FaultHook = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Runner:
    """Runs attempts in one process."""

    owner: str
    attempts: Attempts
    keeper: KeeperClient
    acting: Acting
    flusher: Flusher
    secrets: SecretStore
    fault_hook: FaultHook

    def attempt(self, run_id: str, position: int) -> None:
        """Try the step that a message named. Does nothing when there is nothing to claim."""
        if self.keeper.draining.is_set():
            return
        self.keeper.claiming(run_id, position)
        try:
            lease = self.attempts.claim(run_id, position, self.owner)
        except StoreUnavailable:
            # The claim may have been committed: the keeper looks, and hands back what it finds.
            self.keeper.unheard(run_id, position)
            log.warning("claim not answered", extra={"run_id": run_id, "position": position})
            return
        if lease is None:
            self.keeper.refused(run_id, position)
            return
        self._run(lease)

    def _run(self, lease: Lease) -> None:
        token = CancelToken()
        held = self.keeper.hold(lease, token)
        try:
            self._fault("claimed", lease)
            redactor = Redactor()
            emitter = Emitter(lease, self.attempts, self.attempts.events, self.flusher, self.secrets, redactor)
            outcome = redacted(self.acting.outcome(lease, token, emitter), redactor)
            self._fault("acted", lease)
            emitter.close()
            self._fault("before_commit", lease)
            finished = self._commit(lease, token, outcome)
            if finished is not None:
                self._fault("committed", lease)
                self.attempts.tell(finished)
                self._fault("dispatched", lease)
        finally:
            self.keeper.drop(held)
        self._fault("before_ack", lease)

    def _commit(self, lease: Lease, token: CancelToken, outcome: Outcome) -> Finished | None:
        """Commit, as long as it takes: while PostgreSQL is away the work is done and only the commit is missing.

        None when the attempt was taken over; its outcome is dropped.
        """
        pause, tries = threading.Event(), 0
        while True:
            try:
                return self.attempts.commit(lease, outcome)
            except LeaseLost as lost:
                log.warning("%s", lost, extra={"run_id": lease.run_id, "step": lease.key})
                return None
            except StoreUnavailable:
                if token.reason == "lost":
                    return None
                pause.wait(_RETRY_PAUSES_S[min(tries, len(_RETRY_PAUSES_S) - 1)])
                tries += 1

    def _fault(self, point: str, lease: Lease) -> None:
        self.fault_hook(point, lease.run_id, lease.key)


def redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome as it may be stored and shown."""
    match outcome:
        case Succeeded(result, expand):
            return Succeeded(redactor.json(result), expand)
        case Failed(error, permanent, after_s):
            clean = StepError(error.code, redactor.text(error.message), redactor.json(error.details))
            return Failed(clean, permanent, after_s)
        case _:
            return outcome
