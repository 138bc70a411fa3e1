"""Makes the worker that loads it take itself for one in a container, which may use little of the processor.

What it uses is the time of the processes whose ids are in a file: however busy the machine is, its load is theirs.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

import workers.load
from workers.cgroup import Allowance, ControlGroups

CORES = 0.2


class Container(ControlGroups):
    """As many processes as the file names."""

    def allowance(self) -> Allowance:
        return Allowance(
            cores=CORES, cpu_s=sum(map(_cpu_s, Path(os.environ["PERDURE_TEST_CONTAINER"]).read_text().split()))
        )


def _cpu_s(pid: str) -> float:
    try:
        used = psutil.Process(int(pid)).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)


workers.load.ControlGroups = Container  # type: ignore[misc]
