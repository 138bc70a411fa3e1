"""What an attempt used, measured in real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest

from workers.resources import Meter

MIB = 1024**2


def burn(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


def touch(mib: int) -> bytearray:
    """Memory that is really used."""
    taken = bytearray(mib * MIB)
    taken[::4096] = b"x" * len(taken[::4096])
    return taken


def test_a_short_attempt_is_not_told_of() -> None:
    meter = Meter(alone=False)
    assert meter.end(meter.begin()) is None


def test_a_short_attempt_is_told_of_when_it_used_the_network() -> None:
    meter = Meter(alone=False)
    used = meter.end(meter.begin(), counted={"sent_bytes": 1, "received_bytes": 2}, agent="nlp")
    assert used is not None
    assert (used["sent_bytes"], used["received_bytes"], used["agent"]) == (1, 2, "nlp")
    measured = meter.begin()
    time.sleep(0.01)
    assert {"sent_bytes", "agent"}.isdisjoint(meter.end(measured) or {})


@pytest.mark.parametrize("alone", [True, False])
def test_time_of_the_processor_is_not_time_that_passed(alone: bool) -> None:
    meter = Meter(alone=alone)
    measured = meter.begin()
    burn(0.05)
    time.sleep(0.1)
    used = meter.end(measured)
    assert used is not None
    assert used["wall_s"] >= 0.15
    assert 0.05 <= used["cpu_s"] <= used["wall_s"] + 0.01
    assert (used["of"], used["estimated"]) == (("process", False) if alone else ("thread", True))


def test_the_programs_an_attempt_ran_count_where_it_has_its_process_to_itself() -> None:
    meter = Meter(alone=True)
    measured = meter.begin()
    program = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", program], check=True)
    used = meter.end(measured)
    assert used is not None
    assert used["cpu_s"] >= 0.2


def test_threads_do_not_count_the_time_of_each_other() -> None:
    meter, found, began = Meter(alone=False), {}, threading.Barrier(2)

    def attempt(name: str, seconds: float) -> None:
        measured = meter.begin()
        began.wait()
        burn(seconds)
        time.sleep(0.05)
        found[name] = meter.end(measured)

    threads = [threading.Thread(target=attempt, args=pair) for pair in (("busy", 0.3), ("idle", 0.0))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["busy"]["cpu_s"] >= 0.3
    assert found["idle"]["cpu_s"] < 0.15


ALONE = """
import json, time
from tests.unit.workers.test_resources import touch
from workers.resources import Meter
meter = Meter(alone=True)
def used(mib, pause):
    measured = meter.begin()
    taken = touch(mib)
    del taken
    time.sleep(pause)
    return meter.end(measured)["peak_memory_bytes"]
print(json.dumps([used(0, 0.01), used(200, 0.01), used(0, 0.01)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak cannot be begun anew")
def test_a_peak_belongs_to_the_attempt_that_made_it_and_not_to_the_next() -> None:
    # By a shell that forks: a program begins with the peak of whoever started it, and pytest may have been large.
    script = '"$0" -c "$1"; exit $?'
    ran = subprocess.run(["sh", "-c", script, sys.executable, ALONE], check=True, capture_output=True, text=True)
    before, large, after = json.loads(ran.stdout)
    assert large >= before + 190 * MIB, "given back before the end, and seen all the same"
    assert after <= before + 50 * MIB


def test_what_is_in_use_while_others_end_is_noted() -> None:
    meter = Meter(alone=False)
    long = meter.begin()
    taken = touch(64)
    meter.look()
    meter.end(meter.begin())
    time.sleep(0.01)
    del taken
    used = meter.end(long)
    assert used is not None
    assert used["peak_memory_bytes"] >= 64 * MIB
