"""The load guard: a host that is nearly used up begins less background work, and none when it is used up.

What people sit and wait for is never touched. A host counts as loaded only after some samples in a row, and as relieved
only when it is clearly below the threshold again, so that a peak means nothing and no step flaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from orchestration.core.decide import Outcome
from orchestration.gates.gate import Admit, GateRequest, Verdict, Wait
from schemas.statuses import WaitReason

# What lies between the share at which a host counts as loaded and the one at which it is relieved.
MARGIN = 0.05
# So many samples in a row have to say the same.
SUSTAINED = 3
# A disk that has this much left is not full, however large a share that is.
PLENTY_OF_DISK_BYTES = 20 * 1024**3
# Who was kept out is called when there is room. When nobody is there to call it asks again: so much later, and one
# after another.
ASKS_AGAIN_S = 600.0
SPACING_S = 0.5


class Level(StrEnum):
    """How much of a host is in use."""

    OK = "ok"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class LoadSample:
    """What of a host, or of a container's share of it, is in use: shares of what there is, 0 to 1.

    load_per_core: processes that run or want to, averaged over a minute, for each core; 1 is just enough.
    disk: of the data or the temporary directory, whichever has less left; `disk_free_bytes` is how much.
    """

    cpu: float
    memory: float
    disk: float
    load_per_core: float
    cores: float
    memory_total_bytes: int
    memory_available_bytes: int
    disk_free_bytes: int

    def shares(self) -> Mapping[str, float]:
        """What the guard goes by, by name. The load average is not in it: what waits for a disk counts there, too."""
        disk = self.disk if self.disk_free_bytes < PLENTY_OF_DISK_BYTES else 0.0
        return {"cpu": self.cpu, "memory": self.memory, "disk": disk}


@dataclass(frozen=True)
class Load:
    """A judgement; `reason` says why in words, such as `cpu at 97 %`, and is empty while all is well."""

    level: Level = Level.OK
    reason: str = ""


@dataclass
class _Trigger:
    """On after `SUSTAINED` samples at the threshold or above, off after as many that are clearly below it."""

    threshold: float
    is_on: bool = False
    _row: int = 0

    def feed(self, share: float) -> bool:
        says_otherwise = share < self.threshold - MARGIN if self.is_on else share >= self.threshold
        self._row = self._row + 1 if says_otherwise else 0
        if self._row >= SUSTAINED:
            self.is_on, self._row = not self.is_on, 0
        return self.is_on


class LoadJudge:
    """Judges the samples of one host, in their order. `high` and `critical` are shares, see `LoadSample`."""

    def __init__(self, high: float, critical: float) -> None:
        self._thresholds = {Level.HIGH: high, Level.CRITICAL: critical}
        self._triggers: dict[tuple[str, Level], _Trigger] = {}

    def judge(self, sample: LoadSample) -> Load:
        """What the sample and those before it say."""
        shares = sample.shares()
        levels = {name: self._level(name, share) for name, share in shares.items()}
        worst = max(levels.values(), key=list(Level).index)
        if worst is Level.OK:
            return Load()
        said = [f"{name} at {shares[name]:.0%}".replace("%", " %") for name in levels if levels[name] is worst]
        return Load(worst, ", ".join(said))

    def _level(self, name: str, share: float) -> Level:
        found = Level.OK
        for level, threshold in self._thresholds.items():
            trigger = self._triggers.setdefault((name, level), _Trigger(threshold))
            if trigger.feed(share):
                found = level
        return found


class Places(Protocol):
    """Counts the background steps that a worker runs at once."""

    def take(self, most: int | None) -> Callable[[], None] | None:
        """Take a place, if fewer than `most` are taken. Answers what gives it back; None: there is no place."""


@dataclass(frozen=True)
class LoadGate:
    """Admits background steps as the load of this host allows. Memory only: it asks nobody.

    load: the last judgement of this host.
    most: how many background steps this worker may run at once while the load is high.
    """

    load: Callable[[], Load]
    places: Places
    host: str
    most: int
    on: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", f"throttle:{self.host}")

    def admit(self, request: GateRequest) -> Verdict:
        """Admit; or, for background work on a loaded host, wait."""
        if not request.kind.is_background:
            return Admit()
        load = self.load()
        if load.level is Level.CRITICAL:
            return self._wait(load)
        give_back = self.places.take(self.most if load.level is Level.HIGH else None)
        if give_back is None:
            return self._wait(load)

        def settle(_outcome: Outcome) -> None:
            give_back()

        # Its place is free once it has run: here, or on the host that it could not run on.
        called_from = request.came_from if (request.came_from or "").startswith("throttle:") else None
        return Admit(settle, self.on if load.level is Level.HIGH else called_from)

    def is_full(self) -> bool:
        """Whether this host begins no background work now."""
        return self.load().level is Level.CRITICAL

    def _wait(self, load: Load) -> Wait:
        return Wait(WaitReason.THROTTLED, ASKS_AGAIN_S, on=self.on, spacing_s=SPACING_S, message=load.reason)
