"""What is answered to starts and controls."""

from __future__ import annotations

from schemas.answers.parts import Answer, Part
from schemas.state import WireRunStatus


class StartedAnswer(Answer):
    """A run was started; `created` is false when it had been before."""

    message: str
    workflow_id: str
    status: WireRunStatus
    created: bool


class StartedRun(Part):
    """One of many runs that were started."""

    workflow_id: str
    status: WireRunStatus
    created: bool


class StartedManyAnswer(Answer):
    """Many runs were started."""

    message: str
    runs: list[StartedRun]


class ControlledAnswer(Answer):
    """A control took effect; the run as it is now."""

    message: str
    workflow_id: str
    status: WireRunStatus
    active: bool
    stopping: bool
    version: int


class ControlledRun(Part):
    """What a control did to one of many runs; `message` says why it did nothing when `success` is false."""

    workflow_id: str
    success: bool
    message: str
    code: str | None = None
    status: WireRunStatus | None = None


class ControlledManyAnswer(Answer):
    """A control of many runs: each for itself."""

    message: str
    runs: list[ControlledRun]
