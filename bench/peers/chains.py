"""A chain as a function, for the engines whose workflows are functions."""

from __future__ import annotations

from collections.abc import Callable


def walk(
    steps: int,
    payload_bytes: int,
    work_s: float,
    *,
    noop: Callable[[], object],
    pass_on: Callable[[str], str],
    work: Callable[[float], object],
) -> None:
    """Call a step after the other: such as hand on a text, such as take a while, or else such as do nothing."""
    text = "x" * payload_bytes
    for _ in range(steps):
        if payload_bytes:
            text = pass_on(text)
        elif work_s:
            work(work_s)
        else:
            noop()
