"""Progress of a run as plain lines, for logs and pipes: a line whenever something is new."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.text import Text

from cli import words
from cli.follow import RECONNECTING
from cli.run_view import run_status, step_percent, step_status
from cli.safe_text import plain
from schemas.json import JsonObject

# Progress of one step is shown no more often; its changes of status always are.
PROGRESS_EVERY_S = 2.0


class PlainProgress:
    """Writes what changed since the last time."""

    def __init__(self, console: Console, clock: Callable[[], datetime]) -> None:
        self._console = console
        self._clock = clock
        self._run = ""
        self._steps: dict[int, tuple[str, int]] = {}
        self._told: dict[int, tuple[float, str]] = {}
        self._items: dict[tuple[int, str], str] = {}
        self._is_away = False

    def show(self, state: JsonObject, link: str) -> None:
        """Write what is new in this state."""
        self._show_link(link)
        status = run_status(state)
        if status != self._run and (state["active"] or not self._run):
            self._line(f"{plain(state['name'])} {state['workflow_id']}: {status}, {state['total_steps']} steps")
        for step in state["steps"]:
            self._show_step(step)
        if status != self._run and not state["active"] and self._run:
            self._line(f"{plain(state['name'])}: {status}")
        self._run = status

    def say(self, text: str) -> None:
        """A line of its own."""
        self._line(plain(text))

    def _show_link(self, link: str) -> None:
        if (link == RECONNECTING) != self._is_away:
            self._is_away = not self._is_away
            self._line("the server does not answer, reconnecting" if self._is_away else "reconnected")

    def _show_step(self, step: JsonObject) -> None:
        index, status = step["index"], step_status(step)
        before = self._steps.get(index)
        self._steps[index] = (status, step["attempt"])
        if before != (status, step["attempt"]) and (before is not None or status not in ("pending", "ready")):
            took = words.step_time(step, self._clock()) if status in ("completed", "failed", "cancelled") else ""
            self._told[index] = (time.monotonic(), "")
            self._step_line(step, f"{status}{f' in {took}' if took else ''}")
        elif status == "in_progress":
            self._show_progress(step)
        if status == "in_progress":
            self._show_items(step)

    def _show_progress(self, step: JsonObject) -> None:
        at, told = self._told.get(step["index"], (0.0, ""))
        known = step_percent(step, -1.0)
        new = f"{known:.0f} %" if known >= 0 else "in_progress"
        now = time.monotonic()
        said = f"{new} {words.step_message(step, self._clock())}"
        if said not in (told, "in_progress ") and now - at >= PROGRESS_EVERY_S:
            self._told[step["index"]] = (now, said)
            self._step_line(step, new)

    def _show_items(self, step: JsonObject) -> None:
        for item in (step.get("progress") or {}).get("items") or ():
            key, state = (step["index"], item["label"]), str(item.get("state", "pending"))
            if self._items.get(key, "pending") != state:
                self._items[key] = state
                self._line(f"{step['key']}: {plain(item['label'])}: {state}")

    def _step_line(self, step: JsonObject, what: str) -> None:
        message = words.step_message(step, self._clock())
        self._line(f"{step['key']}: {what}{f' - {message}' if message else ''}")

    def _line(self, text: str) -> None:
        at = self._clock().astimezone().strftime("%H:%M:%S")
        self._console.print(Text(f"{at} {text}"), soft_wrap=True)
