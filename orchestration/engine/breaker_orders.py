"""What people have said breakers are to be. It lasts here; what workers go by in Valkey is a copy of it.

An order is written here first. Whoever finds the copy gone or different puts it right: a worker that is about to ask a
breaker after a wipe, and the janitor every few seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from orchestration.gates.breaker import BreakerState
from orchestration.store.database import Database

# Read at most; the last ones count.
MOST = 10_000

Order = Literal["open", "closed", "auto"]


class BreakerOrders:
    """The orders in one database. All raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def give(self, name: str, order: Order, *, actor: str | None = None) -> None:
        """Have a breaker be open or closed whatever the calls say, or leave it to itself again (`auto`)."""
        self.database.call("SELECT order_breaker(%s, %s, %s)", name, order, actor)

    def leave(self, name: str | None = None, *, actor: str | None = None) -> bool:
        """Leave a breaker that was forced to itself, or all of them; whether there was one."""
        return bool(self.database.call("SELECT leave_breakers(%s, %s)", name, actor))

    def known(self) -> Mapping[str, BreakerState | None]:
        """The last orders by name; None: left to itself."""
        rows = self.database.rows("SELECT name, state FROM breaker_orders ORDER BY at DESC LIMIT %s", MOST)
        orders = cast("list[tuple[str, Order]]", rows)
        return {name: None if order == "auto" else BreakerState(order) for name, order in orders}

    def trim(self) -> None:
        """Forget those that have been left to themselves for long."""
        self.database.call("SELECT trim_breaker_orders()")

    def is_awaited(self, name: str) -> bool:
        """Whether a step waits on a breaker, whoever knows the breaker."""
        return bool(self.database.call("SELECT is_breaker_awaited(%s)", name))

    def awaited(self) -> list[str]:
        """The breakers that steps wait on."""
        found: list[str] = self.database.call("SELECT awaited_breakers(%s)", MOST)
        return found
