"""What a container may use of its host: the tightest limits of the control groups this process is in, and their use.

Source: kernel documentation, admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/{memory,cpuacct}.rst, and
scheduler/sched-bwc.rst.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Version 1 says "no limit" by a number that no machine has.
_NO_LIMIT_BYTES = 1 << 60


@dataclass(frozen=True)
class Allowance:
    """What the control groups allow. None: no limit of theirs.

    cores: of processor time, such as 1.5; `cpu_s` is what was used under that limit so far.
    memory_bytes, memory_used_bytes: the limit, and what of it cannot be given back by dropping files from memory.
    """

    cores: float | None = None
    cpu_s: float = 0.0
    memory_bytes: int | None = None
    memory_used_bytes: int = 0


class ControlGroups:
    """Reads the limits anew each time: they may be changed while a container runs."""

    def __init__(self, root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> None:
        self._groups = list(_groups(root, own))

    def allowance(self) -> Allowance:
        """The tightest limits; all None where there are none, or where they cannot be read."""
        cpu: tuple[float, float] | None = None
        memory: tuple[int, int] | None = None
        for directory, is_v2 in self._groups:
            cores = _cores(directory, is_v2)
            if cores is not None and (cpu is None or cores < cpu[0]):
                cpu = cores, _cpu_s(directory, is_v2)
            limit = _memory_limit(directory, is_v2)
            if limit is not None and (memory is None or limit < memory[0]):
                memory = limit, _memory_used(directory, is_v2)
        return Allowance(*(cpu or (None, 0.0)), *(memory or (None, 0)))


def _groups(root: Path, own: Path) -> Iterator[tuple[Path, bool]]:
    """The directories of the groups this process is in, from its own up to the top; whether they are of version 2."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = controllers.split(",")
        if number == "0":
            top = root if (root / "cgroup.controllers").exists() else root / "unified"
        elif {"cpu", "memory", "cpuacct"} & set(names):
            top = root / controllers
        else:
            continue
        # In a container with a view of its own, the top is the container's group and the path may lead nowhere.
        directory = top / path.lstrip("/")
        while directory != top and top in directory.parents:
            if directory.is_dir():
                yield directory, number == "0"
            directory = directory.parent
        if top.is_dir():
            yield top, number == "0"


def _cores(directory: Path, is_v2: bool) -> float | None:
    if is_v2:
        quota, _, period = _read(directory / "cpu.max").partition(" ")
    else:
        quota, period = _read(directory / "cpu.cfs_quota_us"), _read(directory / "cpu.cfs_period_us")
    if not quota.isdecimal() or not period.isdecimal() or not int(period):
        return None
    return int(quota) / int(period)


def _cpu_s(directory: Path, is_v2: bool) -> float:
    if is_v2:
        return _field(directory / "cpu.stat", "usage_usec") / 1e6
    used = _read(directory / "cpuacct.usage") or _read(directory.parent / "cpuacct" / "cpuacct.usage")
    return int(used) / 1e9 if used.isdecimal() else 0.0


def _memory_limit(directory: Path, is_v2: bool) -> int | None:
    text = _read(directory / ("memory.max" if is_v2 else "memory.limit_in_bytes"))
    return int(text) if text.isdecimal() and int(text) < _NO_LIMIT_BYTES else None


def _memory_used(directory: Path, is_v2: bool) -> int:
    text = _read(directory / ("memory.current" if is_v2 else "memory.usage_in_bytes"))
    idle_files = _field(directory / "memory.stat", "inactive_file" if is_v2 else "total_inactive_file")
    return max(0, int(text) - idle_files) if text.isdecimal() else 0


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _field(path: Path, name: str) -> int:
    for line in _read(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdecimal():
            return int(value)
    return 0
