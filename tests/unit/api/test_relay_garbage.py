from __future__ import annotations

import os
import subprocess
import sys

from settings import ROOT

# In a process of its own: garbage collection belongs to the whole process.
PROGRAM = """
import gc, weakref
import gevent
from api.relay import garbage

class Cycle:
    def __init__(self):
        self.me = self

def gone(found, timeout_s=10):
    with gevent.Timeout(timeout_s):
        while found() is not None:
            gevent.sleep(0.01)

garbage.YOUNG_EVERY_S, garbage.YOUNG_AT_LEAST_EVERY, garbage.COUNT_EVERY_S = 0.05, 1, 0.1
garbage.collect_in_short_pauses()
assert not gc.isenabled()

young = weakref.ref(Cycle())
gone(young)
print("young")

kept = Cycle()
frozen = gc.get_freeze_count()
with gevent.Timeout(10):
    while gc.get_freeze_count() <= frozen:
        gevent.sleep(0.01)
old = weakref.ref(kept)
del kept
gone(weakref.ref(Cycle()))  # there was another look since
print("set aside" if old() is not None else "looked through")

much = [[] for _ in range(int(gc.get_freeze_count() * garbage.GROWTH) + garbage.GROWTH_AT_LEAST)]
gone(old)
print("old")
"""


def test_young_garbage_goes_at_once_and_old_garbage_when_it_may_be_much() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["young", "set aside", "old", ""]
