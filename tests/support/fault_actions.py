"""Actions for the fault tests. Each writes what it did to a ledger, a line a time, so that effects can be counted."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel

from orchestration.actions import ActionContext, Permanent, action
from schemas.retry import RetryPolicy

QUICK = RetryPolicy(max_attempts=3, base_delay_s=0.05, max_delay_s=0.1)


class Work(BaseModel):
    seconds: float = 0.0


def note(ctx: ActionContext, what: str) -> None:
    """Append to the ledger; one write call of a short line is atomic."""
    line = f"{ctx.run_id} {ctx.step_key} {ctx.attempt} {what} {time.time():.3f} {os.getpid()}\n"
    with Path(os.environ["PERDURE_TEST_LEDGER"]).open("a") as ledger:
        ledger.write(line)


@action("t.work", idempotent=True, retry=QUICK)
def work(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Take a while, and notice when it should stop."""
    note(ctx, "begin")
    if ctx.cancelled.wait(params.seconds):
        note(ctx, "cancelled")
        ctx.raise_if_cancelled()
    note(ctx, "effect")
    return {"attempt": ctx.attempt}


@action("t.killable", idempotent=True, killable=True, retry=QUICK)
def killable(ctx: ActionContext, params: Work) -> dict[str, object]:
    """The same in the prefork pool."""
    return work(ctx, params)


@action("t.once", killable=True)
def once(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Not idempotent."""
    return work(ctx, params)


@action("t.deaf", idempotent=True)
def deaf(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Never looks whether it should stop."""
    note(ctx, "begin")
    time.sleep(params.seconds)
    note(ctx, "effect")
    return {}


@action("t.deaf_killable", idempotent=True, killable=True)
def deaf_killable(ctx: ActionContext, params: Work) -> dict[str, object]:
    """The same where it can be killed."""
    return deaf(ctx, params)


@action("t.holds_interpreter", idempotent=True)
def holds_interpreter(ctx: ActionContext, params: Work) -> dict[str, object]:
    """A C call that does not release the interpreter lock."""
    note(ctx, "begin")
    ctypes.PyDLL(None).usleep(int(params.seconds * 1_000_000))
    note(ctx, "effect")
    return {}


@action("t.poison", idempotent=True, killable=True)
def poison(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Kills the process it runs in."""
    note(ctx, "begin")
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


@action("t.pages", idempotent=True, retry=QUICK)
def pages(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Ten pages with a checkpoint after each."""
    done = ctx.restored["page"] if ctx.restored else 0
    for page in range(done + 1, 11):
        if ctx.cancelled.wait(params.seconds):
            ctx.raise_if_cancelled()
        note(ctx, f"page{page}")
        ctx.checkpoint({"page": page})
    return {"resumed_from": done}


@action("t.fails", idempotent=True)
def fails(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Fails for good."""
    note(ctx, "begin")
    raise Permanent("as asked")


@action("t.exits", idempotent=True, retry=QUICK)
def exits(ctx: ActionContext, params: Work) -> dict[str, object]:
    """Ends the interpreter, as a library may that was made for the command line."""
    note(ctx, "begin")
    raise SystemExit(1)


@action("t.exits_killable", idempotent=True, killable=True, retry=QUICK)
def exits_killable(ctx: ActionContext, params: Work) -> dict[str, object]:
    """The same in the prefork pool."""
    return exits(ctx, params)
