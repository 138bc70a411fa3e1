"""The web app with a few actions, and the hands of a worker that takes the steps it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from api.services import Services, build_services
from orchestration.actions.declaration import ActionDeclaration
from orchestration.actions.signal import SignalParams, signal_form
from orchestration.core.decide import Outcome, Succeeded
from orchestration.engine.attempts import Attempts
from orchestration.engine.leases import Lease
from orchestration.engine.queries import Queries
from orchestration.engine.runs import Runs
from orchestration.redaction import Redactor
from schemas.retry import RetryPolicy
from schemas.statuses import Role
from settings import Settings
from tests.support.engine import Recorder

SSH = "ssh -p 2838 root@10.1.2.3"


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Size(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 1
    note: str = ""


class Repositories(BaseModel):
    model_config = ConfigDict(extra="forbid")
    repositories: list[str]
    directory: str
    at_once: int = 4


def declare(name: str, params: type[BaseModel], **changes: Any) -> ActionDeclaration:
    return ActionDeclaration(
        name=name,
        function=lambda ctx, params: None,
        params=params,
        idempotent=True,
        retry=RetryPolicy(max_attempts=1),
        summary=f"Does {name}.",
        **changes,
    )


ACTIONS = {
    declared.name: declared
    for declared in (
        declare("work", Size),
        declare("wait_for_signal", SignalParams, accepts_signal=True, signal_form=signal_form),
        declare("rooted", Nothing, role=Role.ADMIN),
        declare("ssh.test_ssh", Nothing, needs_host=True),
        declare("ssh.install_custom_nodes", Repositories, needs_host=True),
    )
}


class Worker:
    """Claims and ends steps as a worker does."""

    def __init__(self, services: Services, recorder: Recorder) -> None:
        self.recorder = recorder
        self.attempts = Attempts(services.database, recorder, recorder, lease_s=15, resend_s=2, chance=lambda: 0.5)

    def claim(self, run_id: str, position: int = 0) -> Lease:
        lease = self.attempts.claim(run_id, position, "w1")
        assert lease is not None
        return lease

    def finish(self, lease: Lease, outcome: Outcome | None = None) -> None:
        self.attempts.finish(lease, outcome or Succeeded({"message": f"did {lease.key}", "details": {"by": "w1"}}))

    def run(self, run_id: str, position: int = 0, outcome: Outcome | None = None) -> None:
        self.finish(self.claim(run_id, position), outcome)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def services(settings: Settings, recorder: Recorder) -> Iterator[Services]:
    built = build_services(settings)
    runs = Runs(built.database, recorder, recorder, ACTIONS, resend_s=2)
    redactor = Redactor(["correct-horse-battery"])
    yield replace(
        built, runs=runs, actions=ACTIONS, redactor=redactor, queries=Queries(built.database, redactor=redactor)
    )
    built.database.close()


@pytest.fixture
def worker(services: Services, recorder: Recorder) -> Worker:
    return Worker(services, recorder)
