"""The rules of alerts: from figures of one moment to a value for each subject, and a sentence on it.

Pure. Whether a value is too much, and has been for long enough, is judged by `alert_states`. What concerns the delivery
of alerts itself is left out, so that an alert that cannot be delivered makes no further one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.core.alert_signs import AlertSigns
from schemas.alerts import RULES, RuleNumbers
from schemas.json import JsonObject

PLENTY_OF_DISK_BYTES = 20 * 1024**3
# Actions, breakers and limits of deliveries begin so.
OWN_ACTIONS = "alert."
OWN_NAMES = "alert:"
MAX_SUBJECT = 300


@dataclass(frozen=True)
class Reading:
    """What one subject of a rule shows now. A subject without a reading shows nothing, which is 0."""

    subject: str
    value: float
    message: str
    details: JsonObject = field(default_factory=dict)


Readings = Mapping[str, Sequence[Reading] | None]
"""By rule; None where nothing can be known just now, so that what is open stays as it is."""


def read_rules(signs: AlertSigns, numbers: Mapping[str, RuleNumbers]) -> Readings:
    """The readings of each rule, one a subject, the highest first."""
    found: dict[str, Sequence[Reading] | None] = {}
    for name in RULES:
        if name == "breaker_open" and signs.breakers is None:
            found[name] = None
            continue
        readings = {reading.subject[:MAX_SUBJECT]: reading for reading in _READERS[name](signs, numbers[name])}
        found[name] = sorted(readings.values(), key=lambda reading: (-reading.value, reading.subject))
    return found


def _failure_rate(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    for each in signs.ends:
        ended = each.succeeded + each.failed
        if ended < numbers.minimum or _is_own(each.name or ""):
            continue
        share = each.failed / ended
        what = f"of {each.name}" if each.name else "of all actions"
        message = f"{each.failed} of {ended} steps {what} failed within {_span(numbers.window_s)} ({share:.0%})"
        yield Reading(each.name or "all", share, message, {"failed": each.failed, "ended": ended})


def _failures_in_a_row(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for each in signs.streaks:
        if not _is_own(each.name):
            what = "attempts of action" if each.kind == "action" else "runs of template"
            last = f"; the last: {each.error}" if each.error else ""
            message = f"{each.failures} {what} {each.name} failed in a row{last}"
            yield Reading(f"{each.kind}:{each.name}", each.failures, message)


def _queue_length(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for queue in signs.queues:
        message = f"{queue.ready} steps are ready in queue {queue.name}, which {_workers(queue.consumers)} consume"
        yield Reading(queue.name, queue.ready, message, {"consumers": queue.consumers})


def _queue_deaf(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for queue in signs.queues:
        if queue.ready and queue.with_room:
            message = (
                f"a step has been ready for {_span(queue.oldest_s)} in queue {queue.name}, and "
                f"{_workers(queue.with_room)} that consume it have room: they may not hear their broker"
            )
            yield Reading(queue.name, queue.oldest_s, message, {"ready": queue.ready})


def _queue_without_worker(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for queue in signs.queues:
        if queue.ready and not queue.consumers:
            yield Reading(queue.name, 1, f"{queue.ready} steps are ready in queue {queue.name}, and no worker takes it")


def _worker_lost(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for name in signs.workers_lost:
        yield Reading(name, 1, f"worker {name} is not heard from")


def _host_critical(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for host in signs.hosts:
        why = host.reason or "it is used up"
        value = 1 if host.level == "critical" else 0
        yield Reading(host.name, value, f"no background step begins on {host.name}: {why}", {"level": host.level})


def _throttled_long(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for each in signs.throttled:
        host = each.name.removeprefix("throttle:")
        message = f"{each.steps} background steps wait for room on {host}, the first for {_span(each.oldest_s)}"
        yield Reading(host, each.oldest_s, message, {"steps": each.steps})


def _disk_nearly_full(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for host in signs.hosts:
        if host.disk_free_bytes < PLENTY_OF_DISK_BYTES:
            left = f"{host.disk_free_bytes / 1024**3:.1f} GiB"
            yield Reading(host.name, host.disk, f"a disk of {host.name} is {host.disk:.0%} full, {left} are left")


def _rate_limit_hits(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    for each in signs.hits:
        name = each.name.removeprefix("rate:")
        if not name.startswith(OWN_NAMES):
            message = f"the limit {name} sent {each.count} attempts to wait within {_span(numbers.window_s)}"
            yield Reading(name, each.count, message)


def _rate_limit_refusals(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    for each in signs.refusals:
        if not _is_own(each.name):
            message = f"what {each.name} calls answered 429 {each.count} times within {_span(numbers.window_s)}"
            yield Reading(each.name, each.count, message)


def _breaker_open(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for each in signs.breakers or ():
        if each.name.startswith(OWN_NAMES) or (each.state == "closed" and not each.opened):
            continue
        by_hand = " by hand" if each.forced else ""
        now = "" if each.state == "open" else f", and is {each.state.replace('_', '-')} now"
        last = f"; the last error: {each.last_error}" if each.last_error else ""
        # Half-open is not over: the next probe may fail as well.
        message = f"the breaker {each.name} opened{by_hand}{now}{last}"
        yield Reading(each.name, 1, message, {"state": each.state, "forced": each.forced})


def _lock_wait(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for each in signs.locks:
        holder = f"; run {each.held_by} holds it" if each.held_by else ""
        name = each.name.removeprefix("lock:")
        message = f"{each.steps} steps stand in line for {name}, the first for {_span(each.oldest_s)}{holder}"
        yield Reading(name, each.oldest_s, message, {"steps": each.steps, "heldBy": each.held_by})


def _person_awaited(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    for each in signs.awaited:
        message = f"run {each.run_id} has waited for an answer at step {each.step} for {_span(each.waited_s)}"
        details: JsonObject = {"workflowId": each.run_id, "step": each.step}
        yield Reading(f"{each.run_id}/{each.step}", each.waited_s, message, details)


def _valkey_away(signs: AlertSigns, numbers: RuleNumbers) -> Iterable[Reading]:
    del numbers
    if signs.valkey_away:
        yield Reading("valkey", 1, RULES["valkey_away"].about)


_READERS: Mapping[str, Callable[[AlertSigns, RuleNumbers], Iterable[Reading]]] = {
    "failure_rate": _failure_rate,
    "failures_in_a_row": _failures_in_a_row,
    "queue_length": _queue_length,
    "queue_deaf": _queue_deaf,
    "queue_without_worker": _queue_without_worker,
    "worker_lost": _worker_lost,
    "host_critical": _host_critical,
    "throttled_long": _throttled_long,
    "disk_nearly_full": _disk_nearly_full,
    "rate_limit_hits": _rate_limit_hits,
    "rate_limit_refusals": _rate_limit_refusals,
    "breaker_open": _breaker_open,
    "lock_wait": _lock_wait,
    "person_awaited": _person_awaited,
    "valkey_away": _valkey_away,
}


def _is_own(action: str) -> bool:
    return action.startswith(OWN_ACTIONS)


def _workers(count: int) -> str:
    return {0: "no workers", 1: "1 worker"}.get(count, f"{count} workers")


def _span(seconds: float) -> str:
    """A duration for people: 40 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
