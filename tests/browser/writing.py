"""`t.write`: an action that writes a log at a known pace, for the tests of the page's log."""

from __future__ import annotations

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
