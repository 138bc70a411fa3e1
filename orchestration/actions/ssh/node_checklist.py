"""The progress of an installation of nodes: three phases, and one item a node."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from orchestration.actions.context import ActionContext
from schemas.progress import Item, ItemState, Phase

PHASES = ("Fetch the repository list", "Install the nodes", "Verify the installation")
SHARES = (10.0, 50.0, 40.0)  # percent of the whole


class NodeChecklist:
    """Safe to use from several threads."""

    def __init__(self, ctx: ActionContext, names: Sequence[str]) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._items = {name: Item(label=name) for name in names}
        self._phase = 0
        self._done = 0
        self.failures: dict[str, str] = {}

    def phase(self, number: int) -> None:
        """Enter a phase."""
        with self._lock:
            self._phase, self._done = number, len(self.failures)
            self._say()

    def found(self) -> None:
        """One repository answered."""
        self._count()

    def verified(self) -> None:
        """One node was verified."""
        self._count()

    def begin(self, name: str, doing: str) -> None:
        """A node is being worked on."""
        with self._lock:
            self._set(name, "active", doing)
            self._say()

    def complete(self, name: str) -> None:
        """A node is installed."""
        with self._lock:
            self._done += 1
            self._set(name, "completed", None)
            self._say()

    def fail(self, name: str, why: str) -> None:
        """A node failed; `why` is cut to its last words."""
        with self._lock:
            self._done += 1
            self.failures[name] = " ".join(why.split())[-300:]
            self._set(name, "failed", self.failures[name])
            self._say()

    def finish(self) -> None:
        """All is done."""
        with self._lock:
            self._done = len(self._items)
            self._say()

    def _count(self) -> None:
        with self._lock:
            self._done += 1
            self._say()

    def _set(self, name: str, state: ItemState, detail: str | None) -> None:
        self._items[name] = Item(label=name, state=state, detail=detail)

    def _say(self) -> None:
        inside = min(1.0, self._done / len(self._items))
        shares = [100.0 if n < self._phase else 100 * inside if n == self._phase else 0.0 for n in range(len(PHASES))]
        whole = sum(share * part / 100 for share, part in zip(SHARES, shares, strict=True))
        self._ctx.progress(
            percent=round(whole, 1),
            message=PHASES[self._phase],
            items=list(self._items.values()),
            phases=[Phase(label=label, percent=round(part, 1)) for label, part in zip(PHASES, shares, strict=True)],
            active_phase=self._phase,
        )
