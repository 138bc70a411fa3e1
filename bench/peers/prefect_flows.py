"""Prefect's flows; importing this reads its settings from the environment."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from prefect import flow, task

from bench.peers.chains import walk


@task
def noop() -> None:
    """A step."""


@task
def pass_on(text: str) -> str:
    """A step that answers what it was given."""
    return text


@task
def work(seconds: float) -> None:
    """A step that takes a while."""
    time.sleep(seconds)


@flow
def chain_of(steps: int, payload_bytes: int, work_s: float) -> None:
    """Steps one after the other."""
    walk(steps, payload_bytes, work_s, noop=noop, pass_on=pass_on, work=work)


@flow
def fan_of(width: int) -> None:
    """Steps at once, and one after them."""
    waited = [noop.submit() for _ in range(width)]
    for future in waited:
        future.wait()
    noop()


def many(runs: int, steps: int) -> None:
    """Flows on two threads."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: chain_of(steps, 0, 0.0), range(runs)))
