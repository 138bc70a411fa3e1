"""An attempt as a worker holds it, read from what the database answers to a claim."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from orchestration.core.decide import StepPolicy
from orchestration.store.database import as_jsonb
from schemas.flow import ConcurrencySpec
from schemas.json import Json, JsonObject
from schemas.retry import OnFailure, RetryPolicy
from schemas.statuses import RunKind
from schemas.workflow import SshTarget

_ON_FAILURE: TypeAdapter[OnFailure] = TypeAdapter(OnFailure)


@dataclass(frozen=True, slots=True)
class Lease:
    """An attempt as held by a worker, with all that is needed to run it.

    began_at: when the first attempt began, or the first that failed, if one has.
    written_by: the attempt that wrote `written`, and how often it had begun anew by then; None: none has.
    written_until: why the attempt that wrote `written` ended: its outcome, such as `lost`, or the code of its failure.
    kept: the result that the step has had, where it is only run again since something before it is.
    notice: what to tell those who watch should the step fail for good.
    taken_at: when this process learned of it, by its own clock.
    """

    run: int
    run_id: str
    position: int
    attempt: int
    owner: str
    key: str
    action: str
    label: str
    params: JsonObject
    policy: StepPolicy
    timeout_s: float
    when: str | None
    failures: int
    losses: int
    claimed_at: datetime
    version: int
    run_name: str
    run_params: JsonObject
    created_by: str
    created_role: str
    host: SshTarget | None
    checkpoint: Json
    written: str
    signal: JsonObject | None
    reads: JsonObject
    priority: int
    kind: RunKind
    concurrency: ConcurrencySpec | None
    flow: JsonObject | None
    run_locks: JsonObject | None
    waited_on: str | None
    came_from: str | None
    began_at: datetime
    taken_at: float = field(default_factory=time.monotonic, compare=False)
    written_until: str = ""
    written_by: tuple[int, int] | None = None
    kept: Json = None
    notice: JsonObject | None = None

    def elapsed_s(self) -> float:
        """Seconds since the first of the step's attempts that failed began; since this one began if none has."""
        before = self.claimed_at - self.began_at if self.failures else timedelta()
        return before.total_seconds() + time.monotonic() - self.taken_at


@dataclass(frozen=True, slots=True)
class Held:
    """Just enough to renew or end an attempt."""

    run: int
    position: int
    attempt: int


def policy_from_json(document: JsonObject) -> StepPolicy:
    """The stored policy of a step. Raises: KeyError, pydantic.ValidationError when a newer version wrote it."""
    return _policy(as_jsonb(document))


def claimed(row: JsonObject, run_id: str, owner: str) -> Lease:
    """The lease that a claim answered."""
    return _lease(
        row["step"],
        row["version"],
        run=row["run"],
        run_id=run_id,
        owner=owner,
        run_name=row["run_name"],
        run_params=row["run_params"],
        created_by=row["created_by"],
        created_role=row["created_role"],
        host=SshTarget.model_validate(row["ssh"]) if row["ssh"] else None,
        priority=row["priority"],
        kind=RunKind(row["kind"]),
        concurrency=ConcurrencySpec.model_validate(row["concurrency"]) if row["concurrency"] else None,
        run_locks=row["run_locks"],
    )


def handed_over(step: JsonObject, version: int, before: Lease) -> Lease:
    """The lease of a step that was claimed as the one before it ended; what concerns the run is as it was."""
    return _lease(
        step,
        version,
        run=before.run,
        run_id=before.run_id,
        owner=before.owner,
        run_name=before.run_name,
        run_params=before.run_params,
        created_by=before.created_by,
        created_role=before.created_role,
        host=before.host,
        priority=before.priority,
        kind=before.kind,
        concurrency=before.concurrency,
        # Its run goes on, so it holds what it held.
        run_locks=None,
    )


def _lease(step: JsonObject, version: int, **of_run: Any) -> Lease:
    """From what the database tells of a claimed step, and what is known of its run."""
    policy = step["policy"]
    return Lease(
        position=step["position"],
        attempt=step["attempt"],
        key=step["key"],
        action=step["action"],
        label=step["label"],
        params=step["params"],
        policy=policy_from_json(policy),
        timeout_s=policy["timeout_s"],
        when=policy.get("when"),
        failures=step["failures"],
        losses=step["losses"],
        claimed_at=datetime.fromisoformat(step["now"]),
        version=version,
        checkpoint=step["checkpoint"],
        written=step["written"] or "",
        written_until=step.get("written_until") or "",
        written_by=_pair(step.get("written_by")),
        kept=step.get("kept"),
        notice=policy.get("notice"),
        signal=step["signal"],
        reads=step["reads"] or {},
        flow=policy.get("flow"),
        waited_on=step["waited_on"],
        came_from=step["came_from"],
        began_at=datetime.fromisoformat(step["began_at"]),
        **of_run,
    )


def _pair(found: list[int | None] | None) -> tuple[int, int] | None:
    match found:
        case [int(attempt), int(edition)]:
            return attempt, edition
        case _:
            return None


@lru_cache(maxsize=1024)
def _policy(text: str) -> StepPolicy:
    """The same few policies come again and again, and none changes once it is made."""
    document = json.loads(text)
    retry = document["retry"]
    return StepPolicy(
        retry=RetryPolicy.model_validate(retry) if retry else RetryPolicy(),
        on_failure=_ON_FAILURE.validate_python(document["on_failure"]),
        on_lost=document["on_lost"],
    )
