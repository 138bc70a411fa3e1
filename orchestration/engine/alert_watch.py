"""Looks every few seconds whether something is wrong, and has the channels told by runs, which survive what comes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from orchestration.core.alert_rules import read_rules
from orchestration.core.alert_signs import (
    ActionEnds,
    AlertSigns,
    Awaited,
    BreakerSigns,
    Count,
    HostSigns,
    QueueSigns,
    Streak,
    Waiters,
)
from orchestration.core.alert_states import weigh
from orchestration.engine.alerts import Alerts
from orchestration.engine.queries_workers import WorkersOverview, read_workers
from orchestration.engine.runs import Runs
from orchestration.errors import PerdureError, RunExists, StoreUnavailable
from orchestration.gates.breaker import BreakerStatus
from orchestration.ports import Actor
from schemas.alerts import EmailChannel, RuleNumbers, WebhookChannel
from schemas.json import Json, JsonObject
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec

log = logging.getLogger("perdure.alerts")

COUNTED = 10_000
TOLD_AT_ONCE = 20
TELLER = Actor("alerts", Role.ADMIN)
# Before all other work: whoever is told may have to save it.
PRIORITY = 20

Breakers = Callable[[], Sequence[BreakerStatus] | None]
"""The breakers now; None while Valkey is away."""


class AlertWatch:
    """One look after the other. Two at once make one alert, and one delivery, of each thing."""

    def __init__(
        self,
        runs: Runs,
        breakers: Breakers,
        *,
        numbers: Mapping[str, RuleNumbers],
        channels: Mapping[str, WebhookChannel | EmailChannel],
    ) -> None:
        self.runs = runs
        self.breakers = breakers
        self.numbers = numbers
        self.channels = channels
        self.alerts = Alerts(runs.database, runs.events)

    def look(self) -> None:
        """See what is wrong, keep that, and start the runs that tell of what changed. Raises: StoreUnavailable."""
        signs = self.signs()
        board = self.alerts.board()
        moves = weigh(read_rules(signs, self.numbers), self.numbers, board.known, board.now_s)
        changed = self.alerts.make(moves, self.numbers)
        if changed or board.is_untold:
            self.tell()

    def signs(self) -> AlertSigns:
        """What is judged. Raises: StoreUnavailable."""
        windows = [
            self.numbers[rule].window_s
            for rule in ("failure_rate", "failures_in_a_row", "rate_limit_hits", "rate_limit_refusals")
        ]
        found = self.runs.database.call("SELECT alert_signs(%s, %s, %s, %s, %s)", *windows, COUNTED)
        overview = read_workers(self.runs.database, resend_s=self.runs.resend_s)
        return signs_of(found, overview, self.breakers())

    def tell(self) -> None:
        """Start a run for each change that is still to be told. Again, or twice at once, starts nothing more."""
        for change in self.alerts.untold(TOLD_AT_ONCE):
            run_id: str | None = None
            workflow = delivery(change, self.channels)
            if workflow is not None:
                run_id = f"alert-{change['id']}-{change['number']}"
                try:
                    # The id is the key: the same change is the same run, whoever starts it.
                    body: JsonObject = {"alert": change["id"], "number": change["number"]}
                    self.runs.start(workflow, TELLER, run_id=run_id, body=body)
                except RunExists:
                    log.info("told already", extra={"alert": change["id"], "run_id": run_id})
                except StoreUnavailable:
                    raise
                except PerdureError as error:
                    # One that cannot be told must not keep back those behind it.
                    log.error("alert cannot be told: %s", error, extra={"alert": change["id"]})
                    run_id = None
            self.alerts.told(change["id"], change["number"], run_id)


def delivery(change: JsonObject, channels: Mapping[str, WebhookChannel | EmailChannel]) -> WorkflowSpec | None:
    """The run that tells of a change, a step for each channel that wants to know; None: there is none.

    It is no background run: those wait where a host is used up and where too many run, which is what is told of.
    """
    wanted = [
        name for name, channel in channels.items() if channel.least == "warning" or change["severity"] == "critical"
    ]
    if not wanted:
        return None
    alert = {name: _plain(change[name]) for name in _TOLD}
    steps = [
        {
            "key": name,
            "action": f"alert.{channels[name].type}",
            "params": {"channel": name, "alert": alert},
            "needs": [],
            # One channel that cannot be reached must not keep the others from being told.
            "on_failure": "continue",
        }
        for name in wanted
    ]
    return WorkflowSpec.model_validate(
        {
            "name": f"alert {change['id']} {change['change']}",
            "steps": steps,
            "priority": PRIORITY,
            "metadata": {"alert": change["id"]},
        }
    )


def _plain(value: Json) -> Json:
    """Text as it is: an error may quote what would be read as a reference."""
    return value.replace("{{", "{ {") if isinstance(value, str) else value


_TOLD = (
    "id", "number", "change", "at", "rule", "subject", "severity", "value", "threshold", "message", "opened_at",
    "actor", "note",
)  # fmt: skip


def signs_of(found: JsonObject, overview: WorkersOverview, breakers: Sequence[BreakerStatus] | None) -> AlertSigns:
    """What the answers of the database, and the breakers, say."""
    opened = set(found["opened"])
    return AlertSigns(
        ends=tuple(ActionEnds(**row) for row in found["ends"]),
        streaks=tuple(Streak(**row) for row in found["streaks"]),
        queues=_queues(overview, found["telling"]),
        workers_lost=_lost(overview),
        hosts=tuple(HostSigns(**row) for row in found["hosts"]),
        throttled=tuple(Waiters(**row) for row in found["throttled"]),
        hits=tuple(Count(**row) for row in found["hits"]),
        refusals=tuple(Count(**row) for row in found["refusals"]),
        breakers=None
        if breakers is None
        else tuple(
            BreakerSigns(each.name, str(each.state), each.forced is not None, each.name in opened, each.last_error)
            for each in breakers
        ),
        locks=tuple(Waiters(**row) for row in found["locks"]),
        awaited=tuple(Awaited(**row) for row in found["awaited"]),
        valkey_away=breakers is None,
    )


def _queues(overview: WorkersOverview, telling: Mapping[str, int]) -> tuple[QueueSigns, ...]:
    alive = [worker for worker in overview.workers if not worker["lost"]]
    signs = []
    for name, queue in overview.queues.items():
        consumers = [worker for worker in alive if name in (worker["queues"] or ())]
        # One whose places are not known may have room or not.
        with_room = sum(len(worker["steps"]) < (worker["concurrency"] or 0) for worker in consumers)
        ready = max(0, queue["ready"] - telling.get(name, 0))
        signs.append(QueueSigns(name, ready, queue["oldest_s"] or 0.0, len(consumers), with_room))
    return tuple(signs)


def _lost(overview: WorkersOverview) -> tuple[str, ...]:
    """Lost workers whose place no live one of the same name took."""
    alive = {worker["name"] for worker in overview.workers if not worker["lost"]}
    return tuple(dict.fromkeys(worker["name"] for worker in overview.workers if worker["name"] not in alive))
