"""The budgets of retries in Valkey: one script call for a retry; first attempts are told of at most once a second."""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from messaging.scripts import SharedScript
from orchestration.gates.retry_budget import RATIO, RESERVE, WINDOW_S, Granted, Spent

# How long first attempts of a busy process are kept back, and of how many dependencies.
NOTE_EVERY_S = 1.0
KEPT = 1000


@dataclass
class _Counted:
    """What this process saw and did not tell of yet."""

    first: int = 0
    back: int = 0
    told_at: float = -NOTE_EVERY_S


class ValkeyRetryBudgets:
    """Budgets by the dependency's name. When Valkey is away every retry passes. Safe to share between threads.

    ratio: retries that each first attempt allows; reserve: retries a minute that are allowed anyway, 1 at least.
    clock: seconds in place of the server's clock, so that tests need not wait.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        ratio: float = RATIO,
        reserve: int = RESERVE,
        clock: Callable[[], float] | None = None,
        process_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._script = SharedScript(redis_url, "retry_budget.lua")
        self._ratio = ratio
        self._reserve = max(1, reserve)
        self._clock = clock
        self._process_clock = process_clock
        self._lock = threading.Lock()
        self._counted: OrderedDict[str, _Counted] = OrderedDict()

    def note_first(self, name: str) -> None:
        """Count a first attempt."""
        now = self._process_clock()
        with self._lock:
            counted = self._of(name)
            counted.first += 1
            is_due = now - counted.told_at >= NOTE_EVERY_S
        if is_due:
            self._ask("note", name)

    def withdraw(self, name: str) -> Granted | Spent:
        """Ask for a retry."""
        answer = self._ask("retry", name)
        if answer and answer[0] == "spent":
            return Spent(float(answer[1]), float(answer[2]))
        return Granted()

    def give_back(self, name: str) -> None:
        """A retry that was granted was not made; told of with the next call, so that it costs none of its own."""
        with self._lock:
            self._of(name).back += 1

    def _of(self, name: str) -> _Counted:
        counted = self._counted.setdefault(name, _Counted())
        self._counted.move_to_end(name)
        if len(self._counted) > KEPT:
            # A second's worth of a dependency that was not used for long: without it there are fewer retries, not more.
            self._counted.popitem(last=False)
        return counted

    def _ask(self, operation: Literal["note", "retry"], name: str) -> list[str] | None:
        with self._lock:
            counted = self._of(name)
            first, back = counted.first, counted.back
            counted.first = counted.back = 0
            counted.told_at = self._process_clock()
        request: dict[str, object] = {
            "op": operation,
            "window": WINDOW_S,
            "ratio": self._ratio,
            "reserve": self._reserve,
            "first": first,
            "back": back,
        }
        if self._clock is not None:
            request["now"] = self._clock()
        return self._script.ask([f"perdure:retry-budget:{name}"], json.dumps(request))
