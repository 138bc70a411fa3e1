"""From the outcome of an attempt to what becomes of its step. Pure: the caller brings the chance and the counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from schemas.json import Json, JsonObject
from schemas.retry import FallbackPolicy, OnFailure, RetryPolicy
from schemas.statuses import AttemptOutcome, WaitReason

MAX_LOSSES = 3


@dataclass(frozen=True)
class StepError:
    """Why an attempt failed, as stored and shown. `code` is stable; `details` are free."""

    code: str
    message: str
    details: JsonObject = field(default_factory=dict)

    def as_json(self) -> JsonObject:
        """The form that is stored."""
        return {"code": self.code, "message": self.message, "details": self.details}


@dataclass(frozen=True)
class Succeeded:
    """The action returned. `expand` holds the rows of further steps, see core/dag.py."""

    result: Json
    expand: JsonObject | None = None


@dataclass(frozen=True)
class Skipped:
    """The step's condition was false."""

    reason: str


@dataclass(frozen=True)
class Failed:
    """The action raised, timed out, or could not be begun."""

    error: StepError
    permanent: bool = False
    after_s: float | None = None


@dataclass(frozen=True)
class Cancelled:
    """The action stopped because it was asked to."""


@dataclass(frozen=True)
class Snoozed:
    """The step has to wait; nothing failed. `until` None: for as long as it takes.

    on: what for, where others may wait for the same; each of them that waits already adds `spacing_s` to `until`.
    """

    reason: WaitReason
    until: datetime | None
    on: str | None = None
    spacing_s: float = 0.0


@dataclass(frozen=True)
class Lost:
    """The worker died or lost its lease. `counted`: the step itself is the suspect."""

    counted: bool


@dataclass(frozen=True)
class HandedBack:
    """The worker shuts down and gives the step back."""


Outcome = Succeeded | Skipped | Failed | Cancelled | Snoozed | Lost | HandedBack


@dataclass(frozen=True)
class StepPolicy:
    """What a step's author said about failure and loss, with the action's defaults filled in."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    on_failure: OnFailure = "fail"
    on_lost: Literal["retry", "fail"] = "fail"


class Verb(StrEnum):
    """What `finish` does to the step; every one either releases, requeues, or ends the run."""

    COMPLETE = "complete"
    SKIP = "skip"
    CONTINUE = "continue"
    FAIL = "fail"
    CANCEL = "cancel"
    RETRY = "retry"
    WAIT = "wait"
    HAND_BACK = "hand_back"


@dataclass(frozen=True)
class Decision:
    """What becomes of a step whose attempt just ended, and how the attempt is recorded."""

    verb: Verb
    outcome: AttemptOutcome
    result: Json = None
    error: StepError | None = None
    delay_s: float | None = None
    until: datetime | None = None
    reason: WaitReason | None = None
    on: str | None = None
    spacing_s: float = 0.0
    failures: int = 0
    losses: int = 0
    expand: JsonObject | None = None

    def as_json(self) -> JsonObject:
        """The argument of the SQL function `finish`; what is unset is left out."""
        document: dict[str, Any] = {"verb": self.verb, "outcome": self.outcome, "result": self.result}
        if self.error is not None:
            document["error"] = self.error.as_json()
        if self.until is not None:
            document["until"] = self.until.isoformat()
        # A delay of 0 s is one: without it the step would wait for ever.
        if self.delay_s is not None:
            document["delay_s"] = self.delay_s
        for name in ("reason", "on", "spacing_s", "failures", "losses", "expand"):
            value = getattr(self, name)
            if value:
                document[name] = value
        return document


def decide(outcome: Outcome, policy: StepPolicy, *, failures: int, losses: int, chance: float) -> Decision:
    """Say what becomes of a step whose attempt just ended.

    `failures` and `losses` are those of earlier attempts; `chance` in [0, 1) spreads the retries.
    """
    match outcome:
        case Succeeded(result, expand):
            return Decision(Verb.COMPLETE, AttemptOutcome.COMPLETED, result=result, expand=expand)
        case Skipped(reason):
            return Decision(Verb.SKIP, AttemptOutcome.SKIPPED, result=None, error=StepError("skipped", reason))
        case Cancelled():
            return Decision(Verb.CANCEL, AttemptOutcome.CANCELLED, error=StepError("cancelled", "stopped on request"))
        case Snoozed(reason, until, on, spacing_s):
            return Decision(Verb.WAIT, AttemptOutcome.WAITING, reason=reason, until=until, on=on, spacing_s=spacing_s)
        case HandedBack():
            return Decision(Verb.HAND_BACK, AttemptOutcome.HANDED_BACK)
        case Lost(counted):
            return _decide_lost(policy, losses + 1 if counted else losses, counted)
        case Failed(error, permanent, after_s):
            if not permanent and failures + 1 < policy.retry.max_attempts:
                delay = max(backoff_s(policy.retry, failures + 1, chance), after_s or 0.0)
                return Decision(
                    Verb.RETRY,
                    AttemptOutcome.FAILED,
                    error=error,
                    delay_s=delay,
                    reason=WaitReason.RETRY,
                    failures=1,
                )
            return _give_up(policy, AttemptOutcome.FAILED, error)


def backoff_s(policy: RetryPolicy, failures: int, chance: float) -> float:
    """Seconds to wait after the n-th failure: exponential, capped, spread evenly by the jitter.

    Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015 (bounded jitter form).
    """
    # 2**n overflows a float beyond 1023; the cap is reached long before.
    delay = min(policy.max_delay_s, policy.base_delay_s * 2.0 ** min(failures - 1, 64))
    return min(policy.max_delay_s, delay * (1 + policy.jitter * (2 * chance - 1)))


def _decide_lost(policy: StepPolicy, losses: int, counted: bool) -> Decision:
    if policy.on_lost == "retry" and losses < MAX_LOSSES:
        return Decision(Verb.HAND_BACK, AttemptOutcome.LOST, losses=int(counted), error=_LOST)
    if policy.on_lost == "retry":
        error = StepError("worker_lost", f"worker lost: the step's worker died {losses} times while running it")
    else:
        error = StepError(
            "outcome_unknown",
            "worker lost: the worker died during the attempt and the action may not be repeated by itself; "
            "check what it did, then retry or skip the step",
        )
    return replace(_give_up(policy, AttemptOutcome.LOST, error), failures=0, losses=int(counted))


def _give_up(policy: StepPolicy, outcome: AttemptOutcome, error: StepError) -> Decision:
    match policy.on_failure:
        case "fail":
            return Decision(Verb.FAIL, outcome, error=error, failures=1)
        case "continue":
            return Decision(Verb.CONTINUE, outcome, error=error, failures=1)
        case FallbackPolicy(fallback=fallback) if fallback.step is not None:
            # The fallback step needs this one and runs only when it failed: core/dag.py wired it so.
            return Decision(Verb.CONTINUE, outcome, error=error, failures=1)
        case FallbackPolicy(fallback=fallback):
            return Decision(Verb.COMPLETE, outcome, error=error, failures=1, result=fallback.value)


_LOST = StepError("worker_lost", "worker lost: the step is free for another worker")
