"""Watches the host a worker runs on: samples it, judges it for the load guard, and reports it to PostgreSQL."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from celery import bootsteps

from orchestration.engine.hosts import Hosts
from orchestration.errors import StoreRefused, StoreUnavailable
from orchestration.gates.load import Level, Load, LoadJudge, LoadSample
from settings import Settings
from workers.cgroup import ControlGroups
from workers.host_board import HostBoard

log = logging.getLogger("perdure.load")

REPORT_EVERY_S = 5.0


class HostSampler:
    """Samples this host, or what a container may use of it."""

    def __init__(self, disks: tuple[Path, ...], groups: ControlGroups | None = None) -> None:
        self._disks = disks
        self._groups = groups or ControlGroups()
        self._cpu_at = time.monotonic()
        self._cpu_s = self._groups.allowance().cpu_s
        psutil.cpu_percent()

    def sample(self) -> LoadSample:
        """What is in use now; of the processor, since the last call or since this object was made."""
        allowed = self._groups.allowance()
        cores = float(psutil.cpu_count() or 1)
        cpu = psutil.cpu_percent() / 100
        now = time.monotonic()
        if allowed.cores is not None and allowed.cores < cores:
            cores = allowed.cores
            cpu = (allowed.cpu_s - self._cpu_s) / max(now - self._cpu_at, 0.001) / cores
        self._cpu_at, self._cpu_s = now, allowed.cpu_s
        memory = psutil.virtual_memory()
        total, available = int(memory.total), int(memory.available)
        if allowed.memory_bytes is not None and allowed.memory_bytes < total:
            total = allowed.memory_bytes
            # What a container may have is no use where its host has none left.
            available = min(available, max(0, total - allowed.memory_used_bytes))
        disk, disk_free = self._fullest_disk()
        return LoadSample(
            cpu=_share(cpu),
            memory=_share(1 - available / max(total, 1)),
            disk=disk,
            load_per_core=os.getloadavg()[0] / (os.cpu_count() or 1),
            cores=cores,
            memory_total_bytes=total,
            memory_available_bytes=available,
            disk_free_bytes=disk_free,
        )

    def _fullest_disk(self) -> tuple[float, int]:
        """Share in use and bytes that are left, of the disk that has the least left."""
        found: list[tuple[int, float]] = []
        for disk in self._disks:
            try:
                usage = shutil.disk_usage(_existing(disk))
            except OSError:
                continue
            # As `df` counts: what is kept for root is nobody's.
            found.append((usage.free, usage.used / max(usage.used + usage.free, 1)))
        free, share = min(found, default=(0, 0.0))
        return _share(share), free


class LoadWatch:
    """Samples every `sample_s` seconds, posts the judgement, and reports it every 5 s and at each change."""

    def __init__(
        self,
        sampler: Callable[[], LoadSample],
        judge: LoadJudge,
        board: HostBoard,
        hosts: Hosts | None,
        *,
        host: str,
        sample_s: float,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.stopping = threading.Event()
        self._sampler = sampler
        self._judge = judge
        self._board = board
        self._hosts = hosts
        self._host = host
        self._sample_s = sample_s
        self._meanwhile = meanwhile
        self._report_at = 0.0
        self._level = Level.OK

    def run(self) -> None:
        """Watch until told to stop."""
        while not self.stopping.wait(self._sample_s):
            try:
                self.look()
            except Exception:  # a host that cannot be looked at is one that nobody knows anything of
                log.exception("host not sampled")

    def look(self) -> Load:
        """One sample: judged, posted, and reported when it is time."""
        sample = self._sampler()
        self._meanwhile()
        load = self._judge.judge(sample)
        self._board.post(load)
        if load.level is not self._level:
            log.info("load of this host is %s", load.level, extra={"host": self._host, "reason": load.reason})
            self._level, self._report_at = load.level, 0.0
        if self._hosts is not None and time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + REPORT_EVERY_S
            try:
                self._hosts.report(self._host, sample, load)
            except (StoreUnavailable, StoreRefused):
                log.debug("host not reported")
        return load


def load_step(
    settings: Settings, board: HostBoard, hosts: Hosts, meanwhile: Callable[[], None]
) -> type[bootsteps.StartStopStep]:
    """The bootstep that watches the host from a worker's main process. `meanwhile` is called with every sample."""

    class LoadStep(bootsteps.StartStopStep):
        """Starts with the worker, on a thread of its own."""

        def __init__(self, parent: Any, **options: Any) -> None:
            super().__init__(parent, **options)
            self.watch: LoadWatch | None = None

        def start(self, parent: Any) -> None:
            del parent
            self.watch = LoadWatch(
                HostSampler((settings.data_dir, Path(tempfile.gettempdir()))).sample,
                LoadJudge(settings.load_high, settings.load_critical),
                board,
                hosts,
                host=socket.gethostname(),
                sample_s=settings.load_sample_s,
                meanwhile=meanwhile,
            )
            threading.Thread(target=self.watch.run, name="perdure-load", daemon=True).start()

        def stop(self, parent: Any) -> None:
            del parent
            if self.watch is not None:
                self.watch.stopping.set()

        terminate = stop

    return LoadStep


def _existing(path: Path) -> Path:
    """The directory itself, or the nearest above it that is there: a worker needs no data directory of its own."""
    return next((place for place in (path, *path.parents) if place.exists()), path)


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
