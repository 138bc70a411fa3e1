"""What a statement costs, in rows looked at and buffers touched: figures that do not depend on the machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from socket import socket
from typing import Any

from bench.explained import Explained, nodes
from orchestration.store.database import Database
from tests.support.tcp_proxy import TcpProxy

WORK = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")


@dataclass(frozen=True)
class Cost:
    """The cost of one call, with all statements inside its functions."""

    answer: Any
    rows: float
    buffers: int
    scanned: Counter[str]
    indexes: Counter[str]


class Meter:
    """A connection that explains all it runs, nested statements included."""

    def __init__(self, url: str, *, generic: bool = False) -> None:
        self._explained = Explained(url, plan_cache_mode="force_generic_plan" if generic else "auto")

    def call(self, sql: str, *values: Any) -> Cost:
        rows = self._explained.rows(sql, *values)
        plans = self._explained.plans()
        found = [node for plan in plans for node in nodes(plan)]
        outermost = plans[-1]
        return Cost(
            answer=rows[0][0] if rows else None,
            rows=sum(node.get("Actual Loops", 1) * sum(node.get(name, 0) for name in WORK) for node in found),
            buffers=outermost["Shared Hit Blocks"] + outermost["Shared Read Blocks"],
            scanned=Counter(node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"),
            indexes=Counter(node["Index Name"] for node in found if "Index Name" in node),
        )

    def close(self) -> None:
        self._explained.close()


class Wiretap(TcpProxy):
    """Between a process and PostgreSQL: keeps what the client sends."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._heard = bytearray()

    def forget(self) -> None:
        """Begin anew; connections must be quiet."""
        self._heard.clear()

    def messages(self) -> list[tuple[str, str]]:
        """Type and text of the messages since `forget`, on connections that were open by then."""
        found, at = [], 0
        while at < len(self._heard):
            end = at + 1 + int.from_bytes(self._heard[at + 1 : at + 5])
            found.append((chr(self._heard[at]), self._heard[at + 5 : end].rstrip(b"\0").decode()))
            at = end
        return found

    def _pump(self, source: socket, target: socket) -> None:
        is_client = source.getsockname()[1] == self.port
        super()._pump(_Listening(source, self._heard) if is_client else source, target)  # type: ignore[arg-type]


class _Listening:
    """A socket whose received bytes are kept."""

    def __init__(self, inner: socket, heard: bytearray) -> None:
        self._inner = inner
        self._heard = heard

    def recv(self, size: int) -> bytes:
        data = self._inner.recv(size)
        self._heard.extend(data)
        return data


def load_finished_runs(database: Database, count: int) -> None:
    """Finished runs of one step each, as thin requests leave them, and fresh statistics."""
    database.execute(
        "INSERT INTO runs (public_id, status, total, pending, queued, completed, next_position, max_steps, created_at, "
        "updated_at, ended_at) SELECT 'old-' || n, 'completed', 1, 0, 0, 1, 1, 1, now(), now(), now() "
        "FROM generate_series(1, %s) n",
        count,
    )
    database.execute(
        "INSERT INTO run_documents (run_id, name, workflow, params, metadata, request_hash, created_by, created_role) "
        "SELECT id, 'old', '{}', '{}', '{}', 'x', 'alice', 'admin' FROM runs"
    )
    database.execute(
        "INSERT INTO steps (run_id, position, key, action, queue, status, blocked_by, released, needs, dependents, "
        "ended_at, attempt) SELECT id, 0, 's0', 'work', 'default', 'completed', 0, true, '{}', '{}', now(), 1 FROM runs"
    )
    database.execute(
        "INSERT INTO step_documents SELECT run_id, position, key, '{}', '{}', '{}' FROM steps",
    )
    database.execute(
        "INSERT INTO attempts (run_id, position, attempt, outcome, ended_at) "
        "SELECT run_id, position, 1, 'completed', now() FROM steps"
    )
    database.execute("INSERT INTO trace (run_id, seq, kind, at) SELECT id, 1, 'started', now() FROM runs")
    database.execute("VACUUM ANALYZE")


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Do it and print how long it took."""
    began = time.perf_counter()
    answer = act()
    print(f"{what}: {(time.perf_counter() - began) * 1000:.0f} ms")
    return answer
