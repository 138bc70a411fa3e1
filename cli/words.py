"""Words, marks and colours of the command line: one map for all of its commands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from cli.run_view import elapsed, step_status
from cli.safe_text import plain
from schemas.json import JsonObject

LONGEST_MESSAGE = 200


class Mark(NamedTuple):
    """How a status looks: a sign, the same in ASCII, and a style of rich."""

    sign: str
    ascii: str
    style: str


MARKS = {
    "pending": Mark("○", ".", "bright_black"),
    "ready": Mark("◎", "o", "default"),
    "in_progress": Mark("◐", ">", "blue"),
    "running": Mark("◐", ">", "blue"),
    "active": Mark("◐", ">", "blue"),
    "waiting": Mark("◷", "~", "yellow"),
    "paused": Mark("‖", "=", "yellow"),
    "cancelling": Mark("▣", "#", "magenta"),
    "completed": Mark("✓", "+", "green"),
    "failed": Mark("✗", "x", "red"),
    "skipped": Mark("-", "-", "bright_black"),
    "cancelled": Mark("■", "#", "magenta"),
}
TURNING = "◐◓◑◒"
WAITS = {
    "retry": "retry",
    "delay": "starts",
    "lock": "waits for a lock, looks again",
    "rate_limit": "rate limit, goes on",
    "breaker": "the circuit is open, tries again",
    "throttled": "throttled, goes on",
    "signal": "waits for a signal",
}

# The same as the name of what is waited for, where it has no name of its own.
WAITED_FOR = {
    "retry": "retry",
    "delay": "its start",
    "lock": "a lock",
    "rate_limit": "rate limit",
    "breaker": "circuit breaker",
    "throttled": "lower load",
    "signal": "signal",
}


def duration(length: timedelta | float | None, *, whole: bool = False) -> str:
    """A length of time (a number: milliseconds) as `820 ms`, `14 s`, `2 m 15 s`, `3 h 04 m`, `2 d 03 h`.

    `whole`: in whole seconds that have passed, for what still goes on.
    """
    if length is None:
        return ""
    ms = length / timedelta(milliseconds=1) if isinstance(length, timedelta) else length
    if ms < 999.5 and not whole:
        return f"{ms:.0f} ms"
    seconds = int(ms / 1000) if whole else round(ms / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60:02d} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} m"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600:02d} h"


def local_time(text: str | None, now: datetime) -> str:
    """A moment of the server in local time; the day is named when it is not today."""
    if not text:
        return ""
    moment = datetime.fromisoformat(text).astimezone()
    today = now.astimezone().date() == moment.date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def step_time(step: JsonObject, now: datetime) -> str:
    """How long a step took, or has been going on."""
    if step.get("duration_ms") is not None:
        return duration(step["duration_ms"])
    if step["status"] == "in_progress":
        return duration(elapsed(step.get("start_time"), None, now), whole=True)
    return ""


def step_message(step: JsonObject, now: datetime) -> str:
    """One line on where a step stands: its progress, its result, its error, or what it waits for."""
    status = step_status(step)
    progress, result, error = step.get("progress") or {}, step.get("result") or {}, step.get("error") or {}
    if status == "waiting":
        told = waiting(step, now)
    elif status == "failed":
        told = error.get("message") or result.get("error") or ""
    elif status in ("completed", "skipped"):
        told = result.get("message") or ""
    elif status in ("in_progress", "cancelling"):
        said = [progress.get("message"), progress.get("detail")]
        told = " · ".join(part for part in said if part)
    else:
        told = error.get("message") or ""
    return cut(plain(told))


def waiting(step: JsonObject, now: datetime) -> str:
    """What a waiting step waits for, until when, and why."""
    reason = str(step["waiting_for"])
    told = WAITS.get(reason, reason)
    if step.get("until") and reason != "signal":
        left = max(timedelta(0), datetime.fromisoformat(step["until"]) - now)
        told += f" in {duration(left, whole=True)}"
    parts = [told, str(step["waiting_on"])] if step.get("waiting_on") else [told]
    if reason == "retry" and step.get("failures"):
        most = f" of {step['max_attempts']}" if step.get("max_attempts") else ""
        parts.append(f"try {step['failures'] + 1}{most}")
    why = (step.get("error") or {}).get("message") or (step.get("progress") or {}).get("message")
    return " · ".join([*parts, why] if why else parts)


def waits_for(run: JsonObject) -> str:
    """What a run of the list waits for, by name where it has one (`lock:file:/x`); empty for one that does not wait."""
    step = run.get("step") or {}
    if run["status"] != "running" or run.get("stopping") or not step.get("waiting_for"):
        return ""
    return str(step.get("waiting_on") or WAITED_FOR.get(step["waiting_for"], step["waiting_for"]))


def summary(state: JsonObject, repeated: int) -> str:
    """The last line on a run: `8 steps in 4 m 12 s, 1 retry`."""
    count = state["total_steps"]
    took = duration(elapsed(state["start_time"], state.get("end_time"), datetime.fromisoformat(state["last_update"])))
    steps = "step" if count == 1 else "steps"
    return f"{count} {steps} in {took}, {repeated} {'retry' if repeated == 1 else 'retries'}"


def cut(text: str, length: int = LONGEST_MESSAGE) -> str:
    """The text, or its beginning with a sign that there was more."""
    return text if len(text) <= length else text[: length - 1] + "…"
