"""Actions that write a log at a known pace, and tell what they are told to, and models, for the tests of the page."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

from pydantic import BaseModel

from orchestration.actions import ActionContext, action
from orchestration.actions.outcomes import Permanent
from orchestration.models.pipes import chat_pipe
from orchestration.models.port import Delta, ModelRequest, OnClose

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


@chat_pipe("echo", label="says what it was told")
def echo(request: ModelRequest) -> Iterator[str]:
    """What was said last, in pieces that cut words and marks in two."""
    said = request.messages[-1].content
    yield from (said[at : at + 3] for at in range(0, len(said), 3))


@chat_pipe("counts", label="counts words until it is stopped")
def counts(request: ModelRequest) -> Iterator[str]:
    """`w0 w1 w2`, thirty a second, in paragraphs: what is missing or comes twice is seen."""
    for number in range(20_000):
        time.sleep(1 / 30)
        yield f"w{number}" + (" " if number % 12 else "\n\n")


@chat_pipe("second-time", label="fails, and answers when it is asked again")
def second_time(request: ModelRequest) -> Iterator[str]:
    """An agent that fails the first time that something is said to it."""
    said = "".join(message.content for message in request.messages)
    asked = Path(tempfile.gettempdir()) / f"perdure-asked-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    try:
        asked.touch(exist_ok=False)
    except FileExistsError:
        asked.unlink(missing_ok=True)
        yield "The second time I **answer**."
        return
    raise Permanent("the first time it fails", code="model.refused")


def thought_of(said: str) -> Path:
    """The file that ends the thoughts of `pipe/thinks` about a message."""
    return Path(tempfile.gettempdir()) / f"perdure-thought-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


@chat_pipe("thinks", label="thinks until it is told that it has thought enough")
def thinks(request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
    """A model that says that it thinks, and writes once `thought_of` what was said is there."""
    closed = Event()
    on_close(closed.set)
    enough = thought_of(request.messages[-1].content)
    yield Delta(is_thinking=True)
    while not closed.wait(0.05) and not enough.exists():
        pass
    enough.unlink(missing_ok=True)
    yield Delta("I have thought.")
