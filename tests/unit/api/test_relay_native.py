from __future__ import annotations

import os
import subprocess
import sys

from settings import ROOT

# In a process of its own: what is patched is the whole process.
PROGRAM = """
import sys
from gevent import monkey
monkey.patch_all()
import logging
import gevent
from api.relay.native import NativeThreads, log_from_native_threads
from logs import configure_logs

sys.setswitchinterval(0.00001)
configure_logs("info")
log_from_native_threads()
log = logging.getLogger("perdure.test")

def write(name):
    for number in range(1500):
        log.info("line %s", number, extra={"name_of": name})

threads = NativeThreads(4)
work = [gevent.spawn(threads.run, write, f"native {number}") for number in range(4)]

def beside():
    for number in range(1500):
        log.info("greenlet %s", number)
        gevent.sleep(0)

work.append(gevent.spawn(beside))
gevent.joinall(work, raise_error=True)
print("all written")
"""


def test_native_threads_and_greenlets_write_the_log_side_by_side() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "all written\n"
    assert done.stderr.count("\n") == 5 * 1500
