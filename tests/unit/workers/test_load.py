"""What a worker sees of its host, and of the container it may be in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestration.errors import StoreUnavailable
from orchestration.gates.load import Level, Load, LoadJudge, LoadSample
from workers.cgroup import Allowance, ControlGroups
from workers.host_board import HostBoard
from workers.load import HostSampler, LoadWatch

GIB = 1024**3


def write(directory: Path, **files: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)


def groups(tmp_path: Path, own: str) -> ControlGroups:
    (tmp_path / "own").write_text(own)
    return ControlGroups(tmp_path / "cgroup", tmp_path / "own")


def test_the_tightest_limits_count_whichever_group_sets_them(tmp_path: Path) -> None:
    top = tmp_path / "cgroup"
    write(top, cgroup__controllers="cpu memory")
    write(top / "pod", cpu__max="150000 100000", cpu__stat="usage_usec 3000000\n", memory__max="max")
    write(
        top / "pod" / "app",
        cpu__max="400000 100000",
        memory__max=str(2 * GIB),
        memory__current=str(GIB),
        memory__stat=f"anon 5\ninactive_file {GIB // 4}\n",
    )
    found = groups(tmp_path, "0::/pod/app\n").allowance()
    assert found == Allowance(1.5, 3.0, 2 * GIB, GIB - GIB // 4)


def test_a_container_that_sees_itself_as_the_top_has_its_own_limits(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", cgroup__controllers="", cpu__max="50000 100000", cpu__stat="usage_usec 7\n")
    assert groups(tmp_path, "0::/../../elsewhere\n").allowance().cores == 0.5


def test_the_first_version_of_control_groups_is_read_as_well(tmp_path: Path) -> None:
    write(
        tmp_path / "cgroup" / "cpu,cpuacct" / "box",
        **{"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000", "cpuacct.usage": "1500000000"},
    )
    write(
        tmp_path / "cgroup" / "memory" / "box",
        **{"memory.limit_in_bytes": str(GIB), "memory.usage_in_bytes": "300", "memory.stat": "total_inactive_file 100"},
    )
    own = "5:cpu,cpuacct:/box\n4:memory:/box\n0::/\n"
    assert groups(tmp_path, own).allowance() == Allowance(2.0, 1.5, GIB, 200)


def test_no_limit_is_none(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", cgroup__controllers="", cpu__max="max 100000", memory__max="max")
    write(tmp_path / "cgroup" / "memory", **{"memory.limit_in_bytes": "9223372036854771712"})
    assert groups(tmp_path, "4:memory:/\n0::/\n").allowance() == Allowance()
    assert ControlGroups(tmp_path / "nowhere", tmp_path / "nothing").allowance() == Allowance()


class Container(ControlGroups):
    """A container that uses its processor time as it is told."""

    def __init__(self) -> None:
        self.now = Allowance(0.5, 0.0, GIB, 0)

    def allowance(self) -> Allowance:
        return self.now


def test_a_container_reports_its_own_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("workers.load.time.monotonic", lambda: clock[0])
    container = Container()
    sampler = HostSampler((tmp_path / "not" / "there",), container)
    clock[0] += 2
    container.now = Allowance(0.5, 0.9, GIB, GIB * 3 // 4)
    sample = sampler.sample()
    assert sample.cores == 0.5
    assert sample.cpu == pytest.approx(0.9)
    assert sample.memory_total_bytes == GIB
    assert sample.memory == pytest.approx(0.75)
    assert sample.disk_free_bytes > 0


def test_this_host_can_be_sampled(tmp_path: Path) -> None:
    sample = HostSampler((tmp_path,)).sample()
    assert all(0 <= share <= 1 for share in sample.shares().values())
    assert 0 < sample.cores <= (psutil.cpu_count() or 1)
    assert 0 < sample.memory_available_bytes <= sample.memory_total_bytes


def samples(*cpu: float) -> Iterator[LoadSample]:
    for share in cpu:
        yield LoadSample(share, 0.1, 0.1, 1.0, 2.0, GIB, GIB, GIB)


class Away:
    """Hosts, with PostgreSQL away."""

    def __init__(self) -> None:
        self.asked = 0

    def report(self, host: str, sample: LoadSample, load: Load) -> None:
        self.asked += 1
        raise StoreUnavailable("away")


def test_the_watch_posts_what_it_sees_whether_postgresql_is_there_or_not() -> None:
    board, hosts, seen = HostBoard(), Away(), samples(0.9, 0.9, 0.9)
    watch = LoadWatch(lambda: next(seen), LoadJudge(0.85, 0.95), board, hosts, host="box", sample_s=2)  # type: ignore[arg-type]
    levels = [watch.look().level for _ in range(3)]
    assert levels == [Level.OK, Level.OK, Level.HIGH]
    assert board.load() == Load(Level.HIGH, "cpu at 90 %")
    assert hosts.asked == 2, "a report every few seconds, and when the level changes"
