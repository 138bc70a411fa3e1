"""Releases those who wait for a breaker that closed, or for a host that has room again, in growing waves.

The janitor looks at each line that somebody stands in with every sweep. Successes and ends of steps call the next ones
as well, and sooner; but whatever kept them from it (a wipe, a death, another gate, a run that was paused), whoever
waits is found here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.engine.waking import BATCH, Waking
from orchestration.gates.breaker import BreakerState, BreakerStatus
from orchestration.gates.load import Level
from schemas.json import JsonObject

# So many go first; each wave after which things went well is twice as large as the one before.
FIRST = 2
# Where nothing is heard of a wave, the next one comes after so long, then after twice as long, up to a minute.
PATIENCE_S = 5.0
LONGEST_PATIENCE_S = 60.0
# Lines looked at in one sweep; where there are more, the next sweep goes on.
LINES = 500
BREAKER, THROTTLE = "breaker:", "throttle:"

_RELIEF = {("elsewhere", "high"), ("elsewhere", "ok"), ("high", "ok")}

# What breakers of these names are now, None when nobody can say. One that is missing is not known, which is closed.
ReadBreakers = Callable[[Sequence[str]], Sequence[BreakerStatus] | None]
Mark = tuple[float, ...]


@dataclass(frozen=True)
class Wave:
    """What was last released of a line. `mark`: how far things were by then; `because`: why it was released."""

    because: str
    size: int
    at: float
    patience_s: float
    mark: Mark


class Waves:
    """Decides how many of each line go on. Forgetting it all, as another janitor would, begins with small waves."""

    def __init__(self, waking: Waking, breakers: ReadBreakers) -> None:
        self._waking = waking
        self._breakers = breakers
        self._after = ""
        self._last: dict[str, Wave] = {}

    def release(self) -> int:
        """One look at the lines; how many steps were sent. Raises: StoreUnavailable."""
        read = self._waking.database.call("SELECT read_gate_lines(%s, %s)", self._after, LINES)
        now, lines = float(read["at"]), read["lines"]
        is_whole = not self._after and len(lines) < LINES
        self._after = lines[-1]["on"] if len(lines) == LINES else ""
        signs = self._signs(lines)
        if is_whole:
            # Who could not run on the host after all is back in a moment, and must not begin anew each time.
            self._last = {
                on: wave
                for on, wave in self._last.items()
                if on in signs or (on.startswith(THROTTLE) and now < wave.at + 2 * LONGEST_PATIENCE_S)
            }
        sizes: dict[str, int] = {}
        for on, (because, mark) in signs.items():
            wave = following(self._last.get(on), because, mark, now)
            if wave is not None:
                self._last[on], sizes[on] = wave, wave.size
        return self._waking.waves(sizes)

    def _signs(self, lines: Sequence[JsonObject]) -> dict[str, tuple[str, Mark]]:
        """The lines that may go on: why, and how far things are."""
        names = [line["on"].removeprefix(BREAKER) for line in lines if line["on"].startswith(BREAKER)]
        read = self._breakers(names) if names else []
        known = None if read is None else {status.name: status for status in read}
        found: dict[str, tuple[str, Mark]] = {}
        for line in lines:
            on = line["on"]
            if on.startswith(THROTTLE):
                because = room(line["level"], elsewhere=line["elsewhere"])
                mark: Mark = tuple(line["head"])
            elif known is not None:
                because, mark = closed(known, on.removeprefix(BREAKER))
            else:
                continue
            if because:
                found[on] = (because, mark)
            else:
                self._last.pop(on, None)
        return found


def closed(known: Mapping[str, BreakerStatus], name: str) -> tuple[str, Mark]:
    """Why those at a breaker may go on, empty while they may not, and how many calls have succeeded."""
    status = known.get(name)
    if status is None:
        return "unknown", (0,)
    return ("closed" if status.state is BreakerState.CLOSED else ""), (status.calls - status.failures,)


def room(level: str | None, *, elsewhere: bool) -> str:
    """Why those who were kept out by a host may go on, empty while they may not. `level` None: it is silent."""
    if level is None:
        return "silent"
    if level == Level.CRITICAL:
        return "elsewhere" if elsewhere else ""
    return level


def following(last: Wave | None, because: str, mark: Mark, now: float) -> Wave | None:
    """The wave to release now, None for none yet."""
    if last is None or (last.because, because) in _RELIEF:
        return Wave(because, FIRST, now, PATIENCE_S, mark)
    # On a host with a few places each step that ends calls the next one: these only begin it.
    if mark > last.mark and because != Level.HIGH:
        return Wave(because, min(2 * last.size, BATCH), now, PATIENCE_S, mark)
    if now >= last.at + last.patience_s:
        return Wave(because, FIRST, now, min(2 * last.patience_s, LONGEST_PATIENCE_S), mark)
    return None
