"""What is known of a run that is followed: the last state that was read, with the progress that came since. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.json import Json, JsonObject


class RunView:
    """Folds events into a state document. `state` is never changed in place: a reader in another thread may keep it."""

    def __init__(self) -> None:
        self.state: JsonObject | None = None
        # Events are ahead of the database by up to half a second; without this a bar would jump back at each read.
        self._progress: dict[int, tuple[int, Json]] = {}

    def replace(self, state: JsonObject) -> None:
        """Take a state that was just read."""
        steps = [self._with_progress(step) for step in state["steps"]]
        self.state = {**state, "steps": steps}

    def apply(self, event: JsonObject) -> bool:
        """Take an event; true when the state must be read to know what it means."""
        if event.get("type") != "progress":
            return event.get("type") in ("run", "step")
        index, attempt = event["index"], event["attempt"]
        self._progress[index] = (attempt, event["progress"])
        if self.state is None:
            return True
        known = next((step for step in self.state["steps"] if step["index"] == index), None)
        if known is None or attempt < known["attempt"]:
            return False
        if attempt > known["attempt"] or known["status"] != "in_progress":
            return True
        steps = [self._with_progress(step) if step is known else step for step in self.state["steps"]]
        self.state = {**self.state, "steps": steps}
        return False

    def forget_progress(self) -> None:
        """Events may have been missed: what the next state says counts."""
        self._progress.clear()

    def _with_progress(self, step: JsonObject) -> JsonObject:
        attempt, progress = self._progress.get(step["index"], (None, None))
        if attempt != step["attempt"] or step["status"] != "in_progress":
            return step
        return {**step, "progress": progress}


def step_status(step: JsonObject) -> str:
    """A step's status in our own words: the wire's `pending` also stands for ready and waiting."""
    if step["status"] == "pending":
        return "waiting" if step.get("waiting_for") else "ready" if step.get("ready") else "pending"
    return "cancelling" if step["status"] == "in_progress" and step.get("stopping") else str(step["status"])


def run_status(run: JsonObject) -> str:
    """A run's status in our own words."""
    return "cancelling" if run.get("stopping") and run["status"] == "running" else str(run["status"])


def percent(state: JsonObject) -> float:
    """How far the run is: finished steps, and of those in progress the part that is done."""
    counts = state["counts"]
    done = float(counts["completed"] + counts["skipped"])
    for step in state["steps"]:
        if step["status"] == "in_progress":
            done += step_percent(step, 0.0) / 100
    return float(100 * done / max(1, counts["total"]))


def step_percent(step: JsonObject, default: float) -> float:
    """How far a step is, from whichever part of its progress tells."""
    progress = step.get("progress") or {}
    if progress.get("percent") is not None:
        return float(progress["percent"])
    items = progress.get("items") or ()
    if items:
        return 100.0 * sum(_item_done(item) for item in items) / len(items)
    phases = progress.get("phases") or ()
    if phases and progress.get("active_phase") is not None:
        active = min(int(progress["active_phase"]), len(phases) - 1)
        part = phases[active].get("percent") or 0
        return float(100 * (active + part / 100) / len(phases))
    return default


def retries(state: JsonObject) -> int:
    """How often steps were tried again after they had failed."""
    return sum(max(0, step["failures"] - (step["status"] == "failed")) for step in state["steps"])


def elapsed(start: str | None, end: str | None, now: datetime) -> timedelta | None:
    """The time between two moments of the server; `end` None: until now."""
    if start is None:
        return None
    until = now if end is None else datetime.fromisoformat(end)
    return max(timedelta(0), until - datetime.fromisoformat(start))


def _item_done(item: JsonObject) -> float:
    if item.get("state") in ("completed", "failed"):
        return 1.0
    return float(item.get("percent") or 0) / 100
