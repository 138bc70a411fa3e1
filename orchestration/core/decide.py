"""From the outcome of an attempt to what becomes of its step. Pure: the caller brings the chance and the counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from orchestration.core.backoff import backoff_s
from schemas.json import Json, JsonObject
from schemas.retry import Fallback, FallbackPolicy, OnFailure, RetryPolicy
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
    """The action returned. `expand` holds the rows of further steps, see core/dag.py; `prose` as of `Result`."""

    result: Json
    expand: JsonObject | None = None
    prose: bool = False


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
    message: why, in words, for people.
    """

    reason: WaitReason
    until: datetime | None
    on: str | None = None
    spacing_s: float = 0.0
    message: str = ""


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
    """What becomes of a step whose attempt just ended, and how the attempt is recorded.

    cached: where it is set, a cached result is to stand in if one is found, see `with_cached`.
    resources: what the attempt used, where that was measured.
    """

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
    cached: Fallback | None = None
    resources: JsonObject | None = None

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
        for name in ("reason", "on", "spacing_s", "failures", "losses", "expand", "resources"):
            value = getattr(self, name)
            if value:
                document[name] = value
        return document


def decide(
    outcome: Outcome,
    policy: StepPolicy,
    *,
    failures: int,
    losses: int,
    chance: float,
    elapsed_s: float | None = None,
) -> Decision:
    """Say what becomes of a step whose attempt just ended.

    `failures` and `losses` are those of earlier attempts; `chance` in [0, 1) spreads the retries. `elapsed_s` is the
    time since the first attempt began; None: not known, then only the number of attempts is limited.
    """
    match outcome:
        case Succeeded(result, expand):
            return Decision(Verb.COMPLETE, AttemptOutcome.COMPLETED, result=result, expand=expand)
        case Skipped(reason):
            return Decision(Verb.SKIP, AttemptOutcome.SKIPPED, result=None, error=StepError("skipped", reason))
        case Cancelled():
            return Decision(Verb.CANCEL, AttemptOutcome.CANCELLED, error=StepError("cancelled", "stopped on request"))
        case Snoozed(reason, until, on, spacing_s, message):
            said = {"message": message} if message else None
            return Decision(
                Verb.WAIT, AttemptOutcome.WAITING, said, reason=reason, until=until, on=on, spacing_s=spacing_s
            )
        case HandedBack():
            return Decision(Verb.HAND_BACK, AttemptOutcome.HANDED_BACK)
        case Lost(counted):
            return _decide_lost(policy, losses + 1 if counted else losses, counted)
        case Failed():
            return _decide_failed(outcome, policy, failures + 1, chance, elapsed_s)


def retry_policy(policy: RetryPolicy, code: str) -> tuple[RetryPolicy, bool | None]:
    """The policy for an error, and whether it says itself that such an error is to be tried again."""
    fitting = [begin for begin in policy.on if code.startswith(begin)]
    if not fitting:
        return policy, None
    # The longest, not the first: a JSON object has no order, and PostgreSQL keeps none.
    override = policy.on[max(fitting, key=len)]
    return policy.model_copy(update=override.model_dump(exclude={"retry"}, exclude_none=True)), override.retry


def with_cached(decision: Decision, result: Json) -> Decision:
    """The decision once a cached result was found: it is the step's."""
    return replace(decision, verb=Verb.COMPLETE, result=result, cached=None)


def _decide_failed(
    failed: Failed, policy: StepPolicy, failures: int, chance: float, elapsed_s: float | None
) -> Decision:
    retry, is_wanted = retry_policy(policy.retry, failed.error.code)
    may = not failed.permanent if is_wanted is None else is_wanted
    if not may or failures >= retry.max_attempts:
        return _give_up(policy, AttemptOutcome.FAILED, failed.error)
    delay = max(backoff_s(retry, failures, chance), failed.after_s or 0.0)
    if retry.budget_s is not None and elapsed_s is not None and elapsed_s + delay > retry.budget_s:
        why = {"given_up": f"another try would begin after the time for retries, {retry.budget_s:g} s"}
        return _give_up(policy, AttemptOutcome.FAILED, replace(failed.error, details=failed.error.details | why))
    return Decision(
        Verb.RETRY, AttemptOutcome.FAILED, error=failed.error, delay_s=delay, reason=WaitReason.RETRY, failures=1
    )


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
        case FallbackPolicy() as fallback:
            return _fall_back(fallback, outcome, error)


def _fall_back(policy: FallbackPolicy, outcome: AttemptOutcome, error: StepError) -> Decision:
    cached: Fallback | None = None
    for link in policy.chain:
        if link.cached is not None:
            cached = link
        elif link.step is not None or link.action is not None:
            # The fallback step needs this one and runs only when it failed: core/dag.py wired it so.
            return Decision(Verb.CONTINUE, outcome, error=error, failures=1, cached=cached)
        else:
            return Decision(Verb.COMPLETE, outcome, error=error, failures=1, result=link.value, cached=cached)
    return Decision(Verb.FAIL, outcome, error=error, failures=1, cached=cached)


_LOST = StepError("worker_lost", "worker lost: the step is free for another worker")
