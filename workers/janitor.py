"""The janitor: every worker's main process carries one; one at a time sweeps. Two at once would do no harm."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import redis
from celery import bootsteps

from messaging.breakers import ValkeyBreakers
from messaging.celery_app import make_celery
from messaging.dispatcher import CeleryDispatcher
from messaging.stream import EventStream
from messaging.traced import tell_of_starts, traced
from orchestration.actions.registry import load_actions
from orchestration.engine.alert_watch import AlertWatch
from orchestration.engine.breaker_orders import BreakerOrders
from orchestration.engine.hosts import Hosts
from orchestration.engine.metrics import Metrics
from orchestration.engine.runs import Runs
from orchestration.engine.sweep import SilentOwner, Sweep
from orchestration.engine.waking import BATCH
from orchestration.engine.waves import Waves
from orchestration.errors import StoreUnavailable, StreamUnavailable
from orchestration.gates.breaker import BreakerStatus
from orchestration.store.database import Database
from schemas.alerts import RULES, numbers_of, read_channels
from settings import Settings
from workers.exports import Exports
from workers.session import this_host

if TYPE_CHECKING:
    from tracing_otel import Tracing

log = logging.getLogger("perdure.janitor")

T = TypeVar("T")

PURGE_EVERY_S = 60.0
NOTE_EVERY_S = 60.0
COUNT_EVERY_S = 10.0
LOOK_EVERY_S = 10.0
ORDERS_EVERY_S = 10.0
BREAKERS_LOOKED_AT = 500
# For how many intervals an election holds: a dead or frozen janitor is replaced after that long.
HOLD = 1.5
# The second look at a worker whose session is gone comes after this long.
SECOND_LOOK_S = 0.3
# Renewals missed before silence counts as a sign of death beside a missing session lock.
MISSED_BEATS = 2.5
_BROKER_MARK = "perdure:broker"


class Janitor:
    """Sweeps until told to stop. `sweep_once` is one round."""

    def __init__(self, settings: Settings, database: Database | None = None, tracing: Tracing | None = None) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        database = database or Database(settings.database_url, name="perdure-janitor", size=1)
        self._dispatcher = CeleryDispatcher(make_celery(settings.redis_url))
        parts = (database, traced(self._dispatcher, tracing), EventStream(settings.redis_url))
        self.sweep = Sweep(*parts, lease_s=settings.lease_s, resend_s=settings.resend_s)
        self._hosts = Hosts(database)
        self._exports = Exports(settings, database)
        self._metrics = Metrics(database)
        runs = Runs(*parts, load_actions(), resend_s=settings.resend_s, on_started=tell_of_starts(tracing))
        self._breakers = ValkeyBreakers(settings.redis_url)
        self._orders = BreakerOrders(database)
        self._waves = Waves(self.sweep, self._breakers_of)
        self._alerts = AlertWatch(
            runs,
            self._breakers_now,
            numbers={rule: numbers_of(rule, settings.alerts) for rule in RULES},
            channels=read_channels(settings.alert_channels),
        )
        self._broker = redis.Redis.from_url(settings.redis_url, socket_timeout=2, socket_connect_timeout=1)
        self._broker_was_away = True
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        # Well under the pause after which absence proves nothing, or we would always think we had been away.
        self._interval = min(settings.sweep_interval_s, settings.lease_s / 6)
        self._awake_at = -math.inf
        self._trust_absence_at = 0.0
        self._suspects: dict[str, tuple[float, str]] = {}
        self._has_failed = False
        self._purged_at = time.monotonic()
        self._noted_at = -math.inf
        self._counted_at = self._trimmed_at = self._looked_at = self._obeyed_at = -math.inf

    def run(self) -> None:
        """Sweep as long as this is the elected janitor; otherwise stand for election now and then."""
        pause, interval = 0.0, self._interval
        while not self.stopping.wait(pause):
            try:
                elected, database_s = self.sweep.elect(self._name, HOLD * interval)
                self._look_around(database_s)
                pause = self.sweep_once() if elected else interval
            except StoreUnavailable:
                # Whoever watches over an outage has been away as well.
                self._awake_at = -math.inf
                pause = min(0.5, interval)
            except Exception:
                log.exception("sweep failed")
                pause = interval

    def sweep_once(self) -> float:
        """One round; answers the seconds until the next."""
        now = time.monotonic()
        self._has_failed = False
        self._part("broker", self._look_at_broker)
        self._part("breaker orders", lambda: self._keep_orders(now))
        self._part("drained queues", self._resend_drained)
        sent = (self._part("lines", self.sweep.lines) or 0) + (self._part("waves", self._waves.release) or 0)
        if now >= self._trust_absence_at:
            self._part("expired leases", self.sweep.expired)
        self._part("dead workers", lambda: self._end_dead_workers(now))
        self._part("lost workers", lambda: self._note_lost_workers(now))
        self._part("purge", lambda: self._purge(now))
        self._part("counts", lambda: self._count(now))
        self._part("old counts", lambda: self._trim(now))
        self._part("alerts", lambda: self._look(now))
        self._part("exports", self._exports.write)
        due = self._part("next due", self.sweep.next_due_s)
        interval = min(SECOND_LOOK_S, self._interval) if self._suspects else self._interval
        if self._has_failed:  # what could not be done is due still, and would be tried without a pause
            return interval
        if sent >= BATCH:
            return 0.0
        return interval if due is None else max(0.01, min(interval, due))

    def _part(self, name: str, act: Callable[[], T]) -> T | None:
        """Do a part of the round. One that fails is logged, and keeps no other from being done.

        Raises: StoreUnavailable, which all of them would.
        """
        try:
            return act()
        except StoreUnavailable:
            raise
        except Exception:
            self._has_failed = True
            log.exception("a part of the sweep failed", extra={"part": name})
            return None

    def _resend_drained(self) -> None:
        for queue in self._dispatcher.drained():
            self.sweep.resend_queue(queue)

    def _look_around(self, database_s: float) -> None:
        """Absence proves nothing after we were away ourselves: everybody gets the time of a heartbeat to show up.

        By the database's clock, which leases go by: ours may stand still while a machine sleeps.
        """
        if database_s - self._awake_at > self.settings.lease_s / 3:
            self._trust_absence_at = time.monotonic() + 1.5 * self.settings.heartbeat_s
            self._suspects.clear()
        self._awake_at = database_s

    def _note_lost_workers(self, now: float) -> None:
        if now - self._noted_at >= NOTE_EVERY_S:
            self._noted_at = now
            self.sweep.note_lost_workers()
            self._hosts.forget_silent()

    def _purge(self, now: float) -> None:
        if now - self._purged_at < PURGE_EVERY_S:
            return
        self._purged_at = now  # also where it fails: it is not tried at each sweep then
        if self.sweep.purge(self.settings.retention_days or None) >= BATCH:
            self._purged_at = -math.inf

    def _count(self, now: float) -> None:
        """Count what ended. Where that is more than one call counts, the next sweep goes on."""
        if now - self._counted_at < COUNT_EVERY_S:
            return
        self._counted_at = now
        if self._metrics.fold():
            self._counted_at = -math.inf

    def _trim(self, now: float) -> None:
        if now - self._trimmed_at < PURGE_EVERY_S:
            return
        self._trimmed_at = now
        if self._metrics.trim():
            self._trimmed_at = -math.inf
            return
        self._alerts.alerts.trim()
        self._orders.trim()

    def _look(self, now: float) -> None:
        """Look whether somebody should be told that something is wrong. Not while absence proves nothing."""
        if now - self._looked_at < LOOK_EVERY_S or now < self._trust_absence_at:
            return
        self._looked_at = now
        self._alerts.look()

    def _breakers_now(self) -> list[BreakerStatus] | None:
        return self._unless_away(lambda: self._breakers.all(BREAKERS_LOOKED_AT))

    def _breakers_of(self, names: Sequence[str]) -> list[BreakerStatus] | None:
        return self._unless_away(lambda: self._breakers.some(names))

    def _unless_away(self, read: Callable[[], list[BreakerStatus]]) -> list[BreakerStatus] | None:
        try:
            # A server that is frozen would cost each look the time limit.
            return None if self._broker_was_away else read()
        except StreamUnavailable:
            return None

    def _keep_orders(self, now: float) -> None:
        """See that breakers are what people have said they are to be, also after half of what Valkey holds was lost."""
        if self._broker_was_away or now - self._obeyed_at < ORDERS_EVERY_S:
            return
        self._obeyed_at = now
        try:
            put_right = self._breakers.obey(self._orders.known())
        except StreamUnavailable:
            return
        if put_right:
            log.info("breakers are what people said again", extra={"breakers": put_right[:20]})

    def _end_dead_workers(self, now: float) -> None:
        """Two looks and two signs: the session lock is gone, and the process is gone or has missed its beats."""
        silent = {owner.owner: owner for owner in self.sweep.silent_owners()}
        self._suspects = {name: seen for name, seen in self._suspects.items() if name in silent}
        for name, owner in silent.items():
            first, lease = self._suspects.setdefault(name, (now, owner.lease_until))
            if now > first and (self._is_dead_here(owner) or self._missed_beats(owner, lease)):
                ended = self.sweep.end_owner(owner)
                log.warning("worker is dead, its steps go to others", extra={"owner": name, "steps": ended})

    def _is_dead_here(self, owner: SilentOwner) -> bool:
        return (owner.host, owner.boot_id) == this_host() and owner.pid is not None and not psutil.pid_exists(owner.pid)

    def _missed_beats(self, owner: SilentOwner, lease_at_first_look: str) -> bool:
        # A keeper that has not opened its session yet cannot have lost it.
        if owner.host is None or time.monotonic() < self._trust_absence_at:
            return False
        return owner.lease_until == lease_at_first_look and owner.silent_s > MISSED_BEATS * self.settings.heartbeat_s

    def _look_at_broker(self) -> None:
        """After a broker that was away or wiped, whatever was sent may be lost: send it again."""
        try:
            known = self._broker.set(_BROKER_MARK, "1", nx=True) is None
        except redis.RedisError:
            self._broker_was_away = True
            return
        if not known or self._broker_was_away:
            # Remembered until it is done: PostgreSQL may be away as well.
            self._broker_was_away, self._obeyed_at = True, -math.inf
            sent = self.sweep.resend_all()
            self._broker_was_away = False
            if sent:
                log.info("broker is back, ready steps are sent again", extra={"steps": sent})


def janitor_step(
    settings: Settings, database: Database, tracing: Tracing | None = None
) -> type[bootsteps.StartStopStep]:
    """The bootstep that carries a janitor in a worker's main process."""

    class JanitorStep(bootsteps.StartStopStep):
        """Starts with the worker, on a thread of its own, and needs no broker."""

        def __init__(self, parent: Any, **options: Any) -> None:
            super().__init__(parent, **options)
            self.janitor: Janitor | None = None
            self.thread: threading.Thread | None = None

        def start(self, parent: Any) -> None:
            del parent
            self.janitor = Janitor(settings, database, tracing)
            self.thread = threading.Thread(target=self.janitor.run, name="perdure-janitor", daemon=True)
            self.thread.start()

        def stop(self, parent: Any) -> None:
            del parent
            if self.janitor is not None and self.thread is not None:
                self.janitor.stopping.set()
                self.thread.join(timeout=2)

        terminate = stop

    return JanitorStep
