"""Actions that the benchmark's steps run, loaded by PERDURE_ACTIONS."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from bench.peers.marks import Marks
from orchestration.actions import ActionContext, NoParams, action
from orchestration.actions.declaration import ActionParams
from schemas.retry import RetryPolicy

SLOTS = 3
ACTING, BEGAN = 1, 2


class Work(ActionParams):
    """How long to work."""

    seconds: float = Field(0.0, ge=0, le=60)


class Text(ActionParams):
    """What to pass on."""

    text: str


@action("bench.noop", idempotent=True)
def noop(ctx: ActionContext, params: NoParams) -> None:
    """Do nothing."""


@action("bench.pass_on", idempotent=True)
def pass_on(ctx: ActionContext, params: Text) -> dict[str, Any]:
    """Answer what was given."""
    return {"text": params.text}


@action("bench.steady", idempotent=True, retry=RetryPolicy(base_delay_s=0))
def steady(ctx: ActionContext, params: Work) -> None:
    """Tell who acts, and take a while."""
    marks = _marks()
    marks.put(ACTING, os.getpid())
    marks.mark(BEGAN)
    time.sleep(params.seconds)


@cache
def _marks() -> Marks:
    return Marks(Path(os.environ["BENCH_MARKS"]), SLOTS)


@action("bench.work", idempotent=True)
def work(ctx: ActionContext, params: Work) -> None:
    """Take a while, without looking whether to stop."""
    time.sleep(params.seconds)


@action("bench.clocked", idempotent=True)
def clocked(ctx: ActionContext, params: Work) -> dict[str, float]:
    """Take a while; answers when that began."""
    began = time.time()
    time.sleep(params.seconds)
    return {"began": began}
