"""Progress of a run in a terminal: one bar for the run, a row a step, redrawn in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli import words
from cli.follow import LIVE, Display
from cli.plain_progress import PlainProgress
from cli.run_view import elapsed, percent, run_status, step_percent, step_status
from cli.safe_text import plain
from schemas.json import JsonObject

REFRESHES_PER_S = 8
BAR_WIDTH = 40
HEAD_LINES = 4
LEAST_ROWS = 5
TURNS_PER_S = 4
LABEL_WIDTH = 36
PERCENT_WIDTH = 5
TIME_WIDTH = 8

Clock = Callable[[], datetime]


class LiveProgress:
    """A run in a terminal. Lines that `say` shows stay above it."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._shown: tuple[JsonObject, str] | None = None
        self._all = False
        self._live = Live(
            console=console,
            get_renderable=self._frame,
            refresh_per_second=REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._all = True  # what stays on the terminal is whole
        self._live.stop()

    def show(self, state: JsonObject, link: str) -> None:
        """Take what is drawn from now on."""
        self._shown = (state, link)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(Text(plain(text)))

    def _frame(self) -> RenderableType:
        if self._shown is None:
            return Text("waiting for the server")
        state, link = self._shown
        rows = len(state["steps"]) if self._all else max(LEAST_ROWS, self._console.size.height - HEAD_LINES)
        return run_frame(state, link, self._clock(), rows=rows, ascii_only=is_ascii(self._console))


@contextmanager
def progress_display(console: Console, clock: Clock) -> Iterator[Display]:
    """Bars in a terminal, plain lines anywhere else."""
    if console.is_terminal and not console.is_dumb_terminal:
        with LiveProgress(console, clock) as display:
            yield display
    else:
        yield PlainProgress(console, clock)


def make_console(*, stderr: bool = False) -> Console:
    """A console that takes text as it is: no markup, no guessed colours, no wrapping of what is piped."""
    stream = sys.stderr if stderr else sys.stdout
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not stream.isatty():
        console.soft_wrap = True
    return console


def is_ascii(console: Console) -> bool:
    """Whether the terminal cannot show our signs."""
    return not console.encoding.lower().startswith("utf")


def run_frame(state: JsonObject, link: str, now: datetime, *, rows: int, ascii_only: bool = False) -> Group:
    """The whole picture, in about `rows` lines of steps."""
    done = percent(state)
    head = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=100, completed=done, width=BAR_WIDTH, complete_style="blue", finished_style="green")
    head.add_row(bar, Text(f"{done:3.0f} %"), _run_status(state, ascii_only), Text(_counts(state, link, now)))
    return Group(_title(state), head, _steps(state, now, rows, ascii_only))


def mark(status: str, ascii_only: bool = False, *, turning: bool = False) -> Text:
    """The sign of a status, in its colour."""
    known = words.MARKS.get(status, words.MARKS["pending"])
    sign = known.ascii if ascii_only else known.sign
    if turning and not ascii_only:
        sign = words.TURNING[int(time.monotonic() * TURNS_PER_S) % len(words.TURNING)]
    return Text(sign, style=known.style)


def _title(state: JsonObject) -> Text:
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append(plain(state["name"]), style="bold")
    title.append(f"  {state['workflow_id']}", style="bright_black")
    ssh = state.get("ssh")
    if ssh:
        title.append("  " + plain(f"{ssh['user']}@{ssh['host']}:{ssh['port']}"))
    return title


def _run_status(state: JsonObject, ascii_only: bool) -> Text:
    status = run_status(state)
    word = "stopping" if status == "cancelling" else status
    return mark(status, ascii_only) + Text(f" {word}", style=words.MARKS[status].style)


def _counts(state: JsonObject, link: str, now: datetime) -> str:
    counts = state["counts"]
    parts = [f"{counts['completed'] + counts['skipped']} of {counts['total']} steps"]
    took = elapsed(state["start_time"], state.get("end_time"), now)
    parts.append(words.duration(took, whole=state["active"]))
    if state["active"] and link != LIVE:
        parts.append(link)
    return " · ".join(parts)


def _steps(state: JsonObject, now: datetime, rows: int, ascii_only: bool) -> Text:
    lines = [_step_lines(step, now, ascii_only) for step in state["steps"]]
    first, last = _window([len(each) for each in lines], _place(state), rows)
    before, after = first, len(lines) - last
    if state["steps"]:
        before += int(state["steps"][0]["index"])
        after = state["total_steps"] - before - (last - first)
    shown = [line for each in lines[first:last] for line in each]
    width = min(LABEL_WIDTH, max((line[0].cell_len for line in shown), default=0))
    drawn = [_aligned(line, width) for line in shown]
    if before:
        drawn.insert(0, Text(f"  {before} earlier", style="bright_black"))
    if after:
        drawn.append(Text(f"  {after} more", style="bright_black"))
    return Text("\n", no_wrap=True, overflow="ellipsis").join(drawn)


def _aligned(line: tuple[Text, ...], width: int) -> Text:
    """Label, percent, time and message in columns. By hand: a table of rich shrinks the wrong one."""
    label, known, took, message = line
    label.truncate(width, overflow="ellipsis", pad=True)
    known.pad_left(max(0, PERCENT_WIDTH - known.cell_len))
    took.pad_left(max(0, TIME_WIDTH - took.cell_len))
    return Text.assemble(label, " ", known, " ", took, "  ", message)


def _step_lines(step: JsonObject, now: datetime, ascii_only: bool) -> list[tuple[Text, ...]]:
    status = step_status(step)
    is_open = status in ("in_progress", "cancelling")
    label = mark(status, ascii_only, turning=is_open) + Text(" " + plain(step["label"] or step["key"]))
    known = step_percent(step, -1.0)
    style = "red" if status == "failed" else "yellow" if status == "waiting" else "bright_black"
    lines: list[tuple[Text, ...]] = [
        (
            label,
            Text(f"{known:.0f} %" if is_open and known >= 0 else ""),
            Text(words.step_time(step, now)),
            Text(words.step_message(step, now), style=style),
        )
    ]
    if is_open:
        lines += [_nested(*part, ascii_only) for part in _parts(step.get("progress") or {})]
    return lines


def _parts(progress: JsonObject) -> Iterator[tuple[str, str, float | None, str]]:
    """Phases and items of a step in progress: state, label, percent, detail."""
    active = progress.get("active_phase")
    for index, phase in enumerate(progress.get("phases") or ()):
        state = "pending" if active is None or index > active else "active" if index == active else "completed"
        yield state, phase["label"], phase.get("percent") if state == "active" else None, ""
    for item in progress.get("items") or ():
        state = str(item.get("state", "pending"))
        yield state, item["label"], item.get("percent") if state == "active" else None, item.get("detail") or ""


def _nested(state: str, label: str, known: float | None, detail: str, ascii_only: bool) -> tuple[Text, ...]:
    name = Text("    ") + mark(state, ascii_only) + Text(" " + plain(label))
    shown = Text(f"{known:.0f} %" if known is not None else "")
    return name, shown, Text(""), Text(words.cut(plain(detail)), style="bright_black")


def _place(state: JsonObject) -> int:
    """The step that must be in sight: the one in hand, else the last."""
    wanted = state.get("current_step")
    places = [place for place, step in enumerate(state["steps"]) if step["index"] == wanted]
    return places[0] if places else max(0, len(state["steps"]) - 1)


def _window(heights: list[int], place: int, rows: int) -> tuple[int, int]:
    """Which steps fit: the one in hand, then those after and before it in turn. The whole list when it fits."""
    if sum(heights) <= rows or not heights:
        return 0, len(heights)
    room = rows - 2 - heights[place]  # two lines say what is left out
    first, last = place, place + 1
    while True:
        grown = False
        if last < len(heights) and heights[last] <= room:
            room -= heights[last]
            last += 1
            grown = True
        if first > 0 and heights[first - 1] <= room:
            first -= 1
            room -= heights[first]
            grown = True
        if not grown:
            return first, last
