"""The path of a step: claim, act, commit, tell. Safe to run twice for the same message: one claims the row."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from logs import LoggedRedactor, attempt_logs
from orchestration.actions.context import CancelToken
from orchestration.core.decide import Failed, Outcome, StepError, Succeeded
from orchestration.core.storable import storable_text
from orchestration.engine.attempts import Attempts, Finished
from orchestration.engine.leases import Held, Lease
from orchestration.errors import LeaseLost, StoreRefused, StoreUnavailable
from orchestration.gates.load import LoadGate
from orchestration.ports import StreamTail
from orchestration.redaction import Redactor
from orchestration.secrets import SecretStore
from schemas.json import JsonObject
from workers.acting import Acting
from workers.emitter import Emitter, Flusher
from workers.gating import Parked
from workers.keeper_client import KeeperClient
from workers.resources import Meter
from workers.task_events import TaskEvents
from workers.texts import PACE, TextPace
from workers.tracing import AttemptTraces
from workers.watches import HAND_OVER_PATIENCE_S

log = logging.getLogger("perdure.runner")

MAX_MESSAGE = 2000
# Of a longer message nothing is looked at.
LONGEST_READ = 64 * 1024
# How long a message waits for PostgreSQL before it is left to the sweep.
LONGEST_OUTAGE_S = 60.0
_RETRY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.0)
TRIES_FOR_THE_LOG = 4
_UNSTORABLE = Failed(
    StepError("unstorable", "the step's outcome could not be stored; the worker's log says why"), permanent=True
)

FaultHook = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Taken:
    """An attempt that the keeper knows of. `handed_over`: no message named it."""

    lease: Lease
    token: CancelToken
    held: Held
    handed_over: bool


@dataclass(frozen=True)
class Runner:
    """Runs attempts in one process.

    `hand_over_s`: for how long after a message came the end of a step may claim the next one with the same commit, so
    that it runs here at once, without a message of its own. 0: never.
    """

    owner: str
    attempts: Attempts
    keeper: KeeperClient
    acting: Acting
    flusher: Flusher
    secrets: SecretStore
    fault_hook: FaultHook
    hand_over_s: float = 0.0
    task_events: TaskEvents | None = None
    meter: Meter = field(default_factory=lambda: Meter(alone=False))
    traces: AttemptTraces | None = None
    text_pace: TextPace = PACE
    tail: StreamTail | None = None
    load_gate: LoadGate | None = None

    def attempt(self, run_id: str, position: int) -> None:
        """Try the step that a message named. Does nothing when there is nothing to claim, or others should have it."""
        gate = self.load_gate
        if gate is not None and gate.is_full() and self.attempts.leave_to_others(run_id, position, gate.host):
            return
        lease = self._claim(run_id, position)
        if lease is None:
            return
        slice_ends = time.monotonic() + self.hand_over_s
        taken: Taken | None = self._take(lease, slice_ends)
        while taken is not None:
            if taken.handed_over and self.task_events is not None:
                taken = self._run_told(taken, slice_ends, self.task_events)
            else:
                taken = self._run(taken, slice_ends)

    def _claim(self, run_id: str, position: int) -> Lease | None:
        """Claim, for as long as an outage of PostgreSQL may take: a message that was dropped in it would be sent again
        only after a pause, which grows with each one that was dropped.
        """
        gives_up, tries = time.monotonic() + LONGEST_OUTAGE_S, 0
        while not self.keeper.draining.is_set():
            self.keeper.claiming(run_id, position)
            try:
                lease = self.attempts.claim(run_id, position, self.owner)
            except StoreUnavailable:
                # The claim may have been committed: the keeper looks, and hands back what it finds.
                self.keeper.unheard(run_id, position)
                if not tries:
                    log.warning("claim not answered", extra={"run_id": run_id, "position": position})
                if time.monotonic() > gives_up:
                    return None
                self.keeper.draining.wait(_RETRY_PAUSES_S[min(tries, len(_RETRY_PAUSES_S) - 1)])
                tries += 1
            except BaseException:
                self.keeper.unheard(run_id, position)
                raise
            else:
                if lease is None:
                    self.keeper.refused(run_id, position)
                return lease
        return None

    def _run_told(self, taken: Taken, slice_ends: float, task_events: TaskEvents) -> Taken | None:
        began = time.monotonic()
        task_events.began(taken.lease)
        try:
            return self._run(taken, slice_ends)
        finally:
            task_events.ended(taken.lease, time.monotonic() - began)

    def _take(self, lease: Lease, slice_ends: float, after: Held | None = None) -> Taken:
        token = CancelToken()
        hands_over_s = max(0.0, slice_ends - time.monotonic())
        held = self.keeper.hold(lease, token, hands_over_s=hands_over_s, after=after)
        return Taken(lease, token, held, handed_over=after is not None)

    def _run(self, taken: Taken, slice_ends: float) -> Taken | None:
        """Run an attempt; the one that was handed over as it ended, if one was."""
        with attempt_logs(taken.lease.run_id, taken.lease.key, taken.lease.attempt):
            if self.traces is None:
                return self._run_logged(taken, slice_ends)
            with self.traces.attempt(taken.lease, handed_over=taken.handed_over):
                return self._run_logged(taken, slice_ends)

    def _run_logged(self, taken: Taken, slice_ends: float) -> Taken | None:
        lease, redactor = taken.lease, LoggedRedactor()
        used: JsonObject | None = None
        finished: Finished | None = None
        following: Taken | None = None
        try:
            self._fault("claimed", lease)
            told = (self.attempts, self.attempts.events)
            emitter = Emitter(lease, *told, self.flusher, self.secrets, redactor, self.text_pace, self.tail)
            measured = self.meter.begin()
            try:
                outcome = self.acting.outcome(
                    lease, taken.token, emitter, lambda seconds: self.keeper.limit(taken.held, seconds)
                )
            finally:
                used = self.meter.end(measured, counted=emitter.counted, agent=emitter.agent)
            self._fault("acted", lease)
            is_written = emitter.close()
            self._fault("before_commit", lease)
            if isinstance(outcome, Parked):
                finished = outcome.finished
            else:
                finished = self._commit(taken, emitter, redacted(outcome, redactor), slice_ends, is_written, used)
        finally:
            # Before anybody is told, which may take a while.
            if finished is not None and finished.next is not None:
                following = self._take(finished.next, slice_ends, after=taken.held)
            else:
                self.keeper.drop(taken.held)
        if finished is not None:
            self._fault("committed", lease)
            if self.traces is not None:
                self.traces.ended(finished)
            self.attempts.tell(finished)
            if used is not None:
                log.info("attempt ended", extra={"outcome": finished.decision.outcome.value} | used)
            self._fault("dispatched", lease)
        self._fault("before_ack", lease)
        return following

    def _commit(
        self,
        taken: Taken,
        emitter: Emitter,
        outcome: Outcome,
        slice_ends: float,
        is_written: bool,
        used: JsonObject | None,
    ) -> Finished | None:
        """Commit, as long as it takes: while PostgreSQL is away the work is done and only the commit is missing.

        None when the attempt was taken over; its outcome is dropped. `is_written`: all of the log is stored. If not,
        that is tried again first, since an attempt that has ended takes none; but no step waits for ever for its log.
        """
        lease = taken.lease
        pause, tries = threading.Event(), 0
        while not is_written and tries < TRIES_FOR_THE_LOG:
            pause.wait(_RETRY_PAUSES_S[tries])
            tries += 1
            is_written = emitter.close()
        while True:
            asked = time.monotonic()
            # Once only: when its answer is lost, what it claimed is handed back.
            hand_over = (
                not tries and asked < slice_ends and not self.keeper.draining.is_set() and not self._leaves(lease)
            )
            try:
                finished = self.attempts.commit(lease, outcome, hand_over=hand_over, resources=used)
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
                if hand_over:
                    self.keeper.unheard(lease.run_id, None)
                if taken.token.reason == "lost":
                    return None
                pause.wait(_RETRY_PAUSES_S[min(tries, len(_RETRY_PAUSES_S) - 1)])
                tries += 1
                # Once the attempt has ended, its logs are not taken any more.
                emitter.close()
            except BaseException:
                if hand_over:
                    self.keeper.unheard(lease.run_id, None)
                raise
            else:
                if finished.next is not None and time.monotonic() - asked > HAND_OVER_PATIENCE_S:
                    # The keeper may have taken the step for one that nobody knows of.
                    self.keeper.unheard(lease.run_id, finished.next.position)
                    finished = replace(finished, next=None)
                return finished

    def _leaves(self, lease: Lease) -> bool:
        """Whether what comes next in this run had better go to another host."""
        return self.load_gate is not None and lease.kind.is_background and self.load_gate.is_full()

    def _fault(self, point: str, lease: Lease) -> None:
        self.fault_hook(point, lease.run_id, lease.key)


def redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome as it may be stored and shown."""
    match outcome:
        case Succeeded(result, None, prose=True):
            return Succeeded(redactor.prose(result))
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
