"""The runs' event streams in Valkey: appended to from the background, read by position."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from operator import attrgetter
from time import monotonic, sleep
from typing import Any

import redis

from messaging.outbox import Outbox, Queued
from messaging.reading import StreamReader, connect, stream_key
from schemas.events import ALERTS, AlertEvent, Event, ProgressEvent, RunEvent, StepEvent, TextEvent

log = logging.getLogger(__name__)

MAX_LENGTH = 10_000
MAX_ALERTS = 1_000
FINAL_TTL_S = 3600
OPEN_TTL_S = 7 * 24 * 3600
RETRY_S = 0.25
TIMEOUT_S = 2.0
NEW_EPOCH_EVERY_S = 2.0
# The first event goes out at once; those that follow it so closely go out together. Where there are many, longer: a
# trip to the server costs as much as the events of several steps, and is taken from the process that runs them.
GATHER_S = 0.005
MANY_EVENTS = 10
GATHER_MANY_S = 0.01


class EventStream(StreamReader):
    """Publishes and reads events. Publishing never raises and never waits for the network.

    One background thread a process, started by the first event, appends what is queued and tries again while Valkey is
    away. A forked child starts anew: what was queued before the fork is the parent's to send.
    """

    def __init__(self, redis_url: str, *, max_length: int = MAX_LENGTH, name: str = "perdure-events") -> None:
        super().__init__(redis_url, name=name)
        self.appended = 0
        self._redis_url = redis_url
        self._max_length = max_length
        self._script = files("messaging").joinpath("append.lua").read_text()
        # The server keeps the script: naming it takes 40 bytes, sending it 2 kB.
        self._script_sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()
        self._begin()
        begin = weakref.WeakMethod(self._begin)
        os.register_at_fork(after_in_child=lambda: _call(begin))

    def publish(self, run_id: str, events: Sequence[Event], *, final: bool = False) -> None:
        """Queue events for the run's stream, in order. `final`: the run has ended, its stream may expire in an hour."""
        try:
            self._outbox.put([_queued(run_id, event, final) for event in events])
            self._start()
        except Exception:  # an event is news, not work: whatever is wrong with it must not fail the step
            self._outbox.drop(run_id, len(events))
            log.exception("event dropped", extra={"run_id": run_id})

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was published is in Valkey; False when that takes longer than `timeout_s`."""
        return self._outbox.wait_empty(timeout_s)

    @property
    def dropped(self) -> int:
        """How many events were given up: the queue was full, or Valkey refused them."""
        return self._outbox.dropped

    @property
    def coalesced(self) -> int:
        """How many progress events a newer one replaced before they were sent."""
        return self._outbox.coalesced

    def _begin(self) -> None:
        self._outbox = Outbox()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._new_epoch_at: dict[str, float] = {}

    def _start(self) -> None:
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="event-stream", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        client = connect(self._redis_url, timeout_s=TIMEOUT_S, name="perdure-append")
        away = False
        while True:
            batch = self._outbox.take()
            try:
                self._append(client, batch)
            except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
                if not away:
                    log.warning("Valkey unreachable, events wait in memory: %s", error)
                away = True
                self._outbox.put_back(batch)
                sleep(RETRY_S)
            except Exception:  # this thread must outlive whatever a batch brings
                log.exception("events dropped")
                for event in batch:
                    self._outbox.drop(event.run_id, 1)
                self._outbox.done()
            else:
                if away:
                    log.info("Valkey reachable again, %d events were dropped so far", self.dropped)
                away = False
                self._outbox.done()
                self._outbox.gather(GATHER_MANY_S if len(batch) >= MANY_EVENTS else GATHER_S)

    def _append(self, client: redis.Redis, batch: list[Queued]) -> None:
        """Append a batch in one round trip, run by run.

        Raises: redis.ConnectionError or redis.TimeoutError when any of it may be missing.
        """
        # Sorting is stable: a run's events keep their order.
        grouped = groupby(sorted(batch, key=_by_run), key=_by_run)
        runs = [(run_id, list(events), self._tell_loss(run_id)) for run_id, events in grouped]
        try:
            answers = self._send(client, runs)
        except Exception:
            for run_id, _, told in runs:
                if told:
                    self._outbox.drop(run_id, 0)
            raise
        for (run_id, events, _), answer in zip(runs, answers, strict=True):
            if answer.startswith("!"):  # such as a full server
                self._outbox.drop(run_id, len(events))
                log.warning("Valkey refused events: %s", answer[1:])
            else:
                self.appended += len(events)

    def _send(self, client: redis.Redis, runs: list[tuple[str, list[Queued], bool]]) -> list[str]:
        keys = [stream_key(run_id) for run_id, _, _ in runs]
        told: list[str | int] = [FINAL_TTL_S, OPEN_TTL_S]
        for run_id, events, lost in runs:
            kind = next((event.kind for event in reversed(events) if event.kind != "more"), "more")
            length = min(MAX_ALERTS, self._max_length) if run_id == ALERTS else self._max_length
            told += (kind, int(lost), length, len(events), *(event.text for event in events))
        try:
            answers: Any = client.evalsha(self._script_sha, len(keys), *keys, *told)
        except redis.exceptions.NoScriptError:  # a server that is new or was restarted
            client.script_load(self._script)
            answers = client.evalsha(self._script_sha, len(keys), *keys, *told)
        return list(answers)

    def _tell_loss(self, run_id: str) -> bool:
        """Whether to begin a new epoch, so that readers notice that events were dropped and read the state.

        Not more often than every two seconds, or readers would do nothing else while this process drops.
        """
        now = monotonic()
        if self._new_epoch_at.get(run_id, -NEW_EPOCH_EVERY_S) > now - NEW_EPOCH_EVERY_S:
            return False
        if not self._outbox.pop_lost(run_id):
            return False
        if len(self._new_epoch_at) > 1000:
            self._new_epoch_at.clear()
        self._new_epoch_at[run_id] = now
        return True


_by_run = attrgetter("run_id")


def _queued(run_id: str, event: Event, final: bool) -> Queued:
    text = event.model_dump_json()
    if isinstance(event, RunEvent | StepEvent | AlertEvent):
        return Queued(run_id, text, "final" if final else "open")
    replaces = (run_id, event.index, event.attempt) if isinstance(event, ProgressEvent) else None
    # Who asked a model sees nothing yet: a text's beginning goes out at once.
    urgent = isinstance(event, TextEvent) and event.offset == 0
    return Queued(run_id, text, "more", replaces, urgent)


def _call(method: weakref.WeakMethod[Any]) -> None:
    bound = method()
    if bound is not None:
        bound()
