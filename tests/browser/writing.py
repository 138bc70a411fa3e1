"""Actions that write a log at a known pace, and tell what they are told to, for the tests of the page."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from orchestration.actions import ActionContext, action

NEEDLES = (7, 300)


class Write(BaseModel):
    """How much to write: so many lines at once, then one at a time until it is stopped."""

    lines: int = 400
    every_s: float = 0.1


@action("t.write", idempotent=True)
def write(ctx: ActionContext, params: Write) -> dict[str, object]:
    """Write lines, some in colour and two with a needle in them."""
    ctx.log(
        "".join(f"\x1b[32mline\x1b[0m {n}{' needle' if n in NEEDLES else ''}\n" for n in range(1, params.lines + 1))
    )
    more = 0
    while not ctx.cancelled.wait(params.every_s):
        more += 1
        ctx.log(f"more {more}\n")
    ctx.raise_if_cancelled()
    return {}


class Tell(BaseModel):
    """What to tell: the arguments of `ctx.progress`."""

    progress: dict[str, Any]


@action("t.tell", idempotent=True)
def tell(ctx: ActionContext, params: Tell) -> dict[str, object]:
    """Tell how far it is, once, and stay there until it is stopped."""
    ctx.progress(**params.progress)
    ctx.cancelled.wait()
    ctx.raise_if_cancelled()
    return {}
