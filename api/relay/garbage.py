"""Garbage collection without long pauses: a look at the objects of thousands of clients takes a quarter second."""

from __future__ import annotations

import gc

import gevent

from api.relay.greenlets import spawn_vital

# Often, since what has come meanwhile is looked through in one go; but not for a few: most go without being looked for.
YOUNG_EVERY_S = 0.1
YOUNG_AT_LEAST = 5_000
YOUNG_AT_LEAST_EVERY = 20
COUNT_EVERY_S = 60.0
# What old garbage may come to before everything is looked through: half of what was there, and so many objects.
GROWTH = 1.5
GROWTH_AT_LEAST = 100_000


def collect_in_short_pauses() -> None:
    """Take garbage collection over for this process.

    By itself Python looks through all old objects whenever a quarter as many have come, though they be gone again:
    every few seconds here, with all clients waiting. So only what is young is looked through, and what outlives that
    is set aside. Old garbage in cycles, of clients that left, goes when as many objects have come as to matter.
    """
    gc.disable()
    gc.collect()
    gc.freeze()
    spawn_vital(_collect)


def _collect() -> None:
    most = _bound()
    looks = 0
    while True:
        gevent.sleep(YOUNG_EVERY_S)
        looks += 1
        if gc.get_count()[0] >= YOUNG_AT_LEAST or looks % YOUNG_AT_LEAST_EVERY == 0:
            gc.collect(1)
            gc.freeze()
        if looks * YOUNG_EVERY_S >= COUNT_EVERY_S:  # counting takes a while as well
            looks = 0
            if gc.get_freeze_count() > most:
                gc.unfreeze()
                gc.collect()
                gc.freeze()
                most = _bound()


def _bound() -> float:
    return GROWTH * gc.get_freeze_count() + GROWTH_AT_LEAST
