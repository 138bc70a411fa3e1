"""The path of a step: claim, act, commit, tell. Safe to run twice for the same message: one claims the row."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from orchestration.actions.context import CancelToken
from orchestration.core.decide import Failed, Outcome, StepError, Succeeded
from orchestration.core.storable import storable_text
from orchestration.engine.attempts import Attempts, Finished, Lease
from orchestration.errors import LeaseLost, StoreRefused, StoreUnavailable
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from workers.acting import Acting
from workers.emitter import Emitter, Flusher
from workers.keeper_client import KeeperClient

log = logging.getLogger("perdure.runner")

MAX_MESSAGE = 2000
# Of a longer message nothing is looked at.
LONGEST_READ = 64 * 1024
_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.0)
_UNSTORABLE = Failed(
    StepError("unstorable", "the step's outcome could not be stored; the worker's log says why"), permanent=True
)

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
        except BaseException:
            self.keeper.unheard(run_id, position)
            raise
        if lease is None:
            self.keeper.refused(run_id, position)
            return
        self._run(lease)

    def _run(self, lease: Lease) -> None:
        token, redactor = CancelToken(), Redactor()
        held = self.keeper.hold(lease, token)
        try:
            self._fault("claimed", lease)
            emitter = Emitter(lease, self.attempts, self.attempts.events, self.flusher, self.secrets, redactor)
            outcome = redacted(self.acting.outcome(lease, token, emitter), redactor)
            self._fault("acted", lease)
            emitter.close()
            self._fault("before_commit", lease)
            finished = self._commit(lease, token, emitter, outcome)
        finally:
            self.keeper.drop(held)
        if finished is not None:
            self._fault("committed", lease)
            self.attempts.tell(finished)
            self._fault("dispatched", lease)
        self._fault("before_ack", lease)

    def _commit(self, lease: Lease, token: CancelToken, emitter: Emitter, outcome: Outcome) -> Finished | None:
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
            except StoreRefused as refused:
                if outcome is _UNSTORABLE:
                    raise
                # Dropped, the attempt would count as lost, and its action be repeated for nothing.
                log.error("outcome refused: %s", refused, extra={"run_id": lease.run_id, "step": lease.key})
                outcome = _UNSTORABLE
            except StoreUnavailable:
                if token.reason == "lost":
                    return None
                pause.wait(_RETRY_PAUSES_S[min(tries, len(_RETRY_PAUSES_S) - 1)])
                tries += 1
                # Once the attempt has ended, its logs are not taken any more.
                emitter.close()

    def _fault(self, point: str, lease: Lease) -> None:
        self.fault_hook(point, lease.run_id, lease.key)


def redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome as it may be stored and shown."""
    match outcome:
        case Succeeded(result, expand):
            return Succeeded(redactor.json(result), redactor.json(expand))
        case Failed(error, permanent, after_s):
            clean = StepError(error.code, _redacted_message(error.message, redactor), redactor.json(error.details))
            return Failed(clean, permanent, after_s)
        case _:
            return outcome


def _redacted_message(message: str, redactor: Redactor) -> str:
    # Cut after redaction, or half a secret would stand at the cut. A stream keeps back what may be the first half.
    clean = redactor.text(message) if len(message) <= LONGEST_READ else redactor.stream().feed(message[:LONGEST_READ])
    return storable_text(clean, MAX_MESSAGE)
