"""What wakes steps that wait: their time, a lock that was released, a breaker that closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestration.ports import Dispatcher, EventSink, ReadyStep
from orchestration.store.database import Database, as_jsonb
from schemas.events import StepEvent
from schemas.json import JsonObject
from schemas.statuses import StepStatus

BATCH = 200
# A step that waits for a worker gains a level of priority in so many seconds, so that nothing starves in the broker.
AGEING_S = 30.0
HIGHEST_PRIORITY = 20


class Waking:
    """Makes due steps ready and sends their messages. All of it is bounded, skips what is locked, and may run twice."""

    def __init__(self, database: Database, dispatcher: Dispatcher, events: EventSink, *, resend_s: float) -> None:
        self.database = database
        self.dispatcher = dispatcher
        self.events = events
        self.resend_s = resend_s

    def due(self) -> int:
        """Make due waits ready and send again what was sent long ago; how many steps were sent."""
        return self._send(self.database.call("SELECT sweep_due(%s, %s)", BATCH, self.resend_s))

    def lines(self) -> int:
        """The same, after waking the heads of the lines whose locks were released."""
        return self._send(self.database.call("SELECT wake_lines_and_sweep(%s, %s)", BATCH, self.resend_s))

    def waiting(self, on: str, count: int) -> int:
        """The same, after waking the next `count` that wait on this breaker, or for room on this host."""
        return self.waves({on: count})

    def waves(self, waves: Mapping[str, int]) -> int:
        """The same for several lines: how many each."""
        if not waves:
            return 0
        return self._send(
            self.database.call("SELECT wake_waves(%s, %s, %s)", as_jsonb(dict(waves)), BATCH, self.resend_s)
        )

    def _send(self, rows: Sequence[JsonObject]) -> int:
        self.dispatcher.send(
            [
                ReadyStep(
                    r["public_id"],
                    r["position"],
                    r["action"],
                    r["queue"],
                    aged_priority(r["priority"], r["sends"], self.resend_s),
                    aged_priority(r["priority"], r["sends"] - 1, self.resend_s) if r["sends"] else None,
                )
                for r in rows
            ]
        )
        for row in rows:
            if row["version"] is not None:
                event = StepEvent(
                    version=row["version"],
                    index=row["position"],
                    key=row["key"],
                    status=StepStatus.READY,
                    attempt=row["attempt"],
                )
                self.events.publish(row["public_id"], [event])
        return len(rows)


def aged_priority(priority: int, sends: int, resend_s: float) -> int:
    """The priority of a message sent for the `sends`-th time again: pauses double up to a minute, and age counts.

    Source: the ageing of operating systems' schedulers, e.g. Silberschatz, Operating System Concepts, ch. "CPU
    Scheduling".
    """
    age_s = sum(min(60.0, resend_s * 2.0 ** min(n, 10)) for n in range(min(sends, 20)))
    return min(HIGHEST_PRIORITY, priority + int(age_s / AGEING_S))
