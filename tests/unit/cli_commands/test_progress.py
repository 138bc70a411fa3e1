"""What a run looks like: in a terminal, and as plain lines."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from cli import words
from cli.plain_progress import PlainProgress
from cli.render import make_console, progress_display, run_frame
from cli.run_view import RunView, percent, retries, step_percent
from tests.unit.cli_commands.states import NOW, ago, state, step

COPYING = {"percent": 50, "message": "copying", "detail": "a.txt"}


def drawn(document: dict[str, Any], *, link: str = "live", rows: int = 40, ascii_only: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(run_frame(document, link, NOW, rows=rows, ascii_only=ascii_only))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_run_is_one_bar_and_a_row_a_step() -> None:
    lines = drawn(
        state(
            step(0, "completed", duration_ms=820, result={"message": "host 6ecc · up 6 days"}),
            step(
                1, "in_progress", start_time=ago(5), progress={"percent": 50, "message": "copying", "detail": "a.txt"}
            ),
            step(2),
            ssh={"user": "root", "host": "10.1.2.3", "port": 2838},
        )
    )
    assert lines[0] == "Nightly  run-1  root@10.1.2.3:2838"
    assert "50 %" in lines[1]
    assert lines[1].endswith("running 1 of 3 steps · 1 m 15 s")
    assert lines[2].split() == ["✓", "Step", "0", "820", "ms", "host", "6ecc", "·", "up", "6", "days"]
    assert lines[3][1:] == " Step 1  50 %      5 s  copying · a.txt"
    assert lines[4] == "○ Step 2"


def test_items_and_phases_stand_under_their_step() -> None:
    progress = {
        "phases": [{"label": "fetch"}, {"label": "install", "percent": 20}],
        "active_phase": 1,
        "items": [
            {"label": "upscaler", "state": "completed"},
            {"label": "manager", "state": "active", "percent": 40, "detail": "git"},
            {"label": "broken", "state": "failed", "detail": "no such branch"},
        ],
    }
    lines = drawn(state(step(0, "in_progress", progress=progress)))
    assert [line.split()[:2] for line in lines[3:]] == [
        ["✓", "fetch"], ["◐", "install"], ["✓", "upscaler"], ["◐", "manager"], ["✗", "broken"],
    ]  # fmt: skip
    assert "40 %" in lines[6]
    assert lines[7].endswith("no such branch")


def test_waiting_says_for_what_until_when_and_why() -> None:
    until = (NOW + timedelta(seconds=12.4)).isoformat()
    retried = step(0, waiting_for="retry", until=until, failures=2, error={"message": "connection refused"})
    asked = step(1, waiting_for="signal", progress={"message": "approve the plan?"})
    assert words.step_message(retried, NOW) == "retry in 12 s · try 3 of 3 · connection refused"
    assert words.step_message(asked, NOW) == "waits for a signal · approve the plan?"


def test_a_failed_step_says_why() -> None:
    failed = step(0, "failed", duration_ms=1500, error={"code": "x", "message": "disk full"})
    assert words.step_message(failed, NOW) == "disk full"


@pytest.mark.parametrize("link", ["polling every 2 s", "reconnecting"])
def test_the_connection_is_named_unless_it_is_live(link: str) -> None:
    assert drawn(state(step(0)), link=link)[1].endswith(f"· {link}")
    assert "live" not in drawn(state(step(0)))[1]


def test_labels_cannot_move_the_cursor() -> None:
    lines = drawn(state(step(0, "failed", label="\x1b[2Jx\ny", error={"message": "a\x1b]0;t\x07b\rc"}), name="\x1bc!"))
    assert "\x1b" not in "".join(lines)
    assert lines[2].split() == ["✗", "x", "y", "ab", "c"]


def test_a_long_run_shows_the_steps_around_the_one_in_hand() -> None:
    steps = [step(n, "completed" if n < 50 else "in_progress" if n == 50 else "pending") for n in range(100)]
    lines = drawn(state(*steps), rows=12)
    assert len(lines) <= 2 + 12
    assert any("Step 50" in line for line in lines)
    before, after = int(lines[2].split()[0]), int(lines[-1].split()[0])
    assert before + after + len(lines) - 4 == 100


def test_a_window_of_the_server_counts_what_is_not_in_it() -> None:
    document = state(*[step(n) for n in range(40, 60)], total_steps=200, steps_truncated=True, current_step=50)
    lines = drawn(document | {"counts": {"total": 200, "completed": 40, "skipped": 0}})
    assert lines[2] == "  40 earlier"
    assert lines[-1] == "  140 more"


def test_without_utf8_signs_are_ascii() -> None:
    lines = drawn(state(step(0, "completed"), step(1, "in_progress"), step(2)), ascii_only=True)
    assert [line[0] for line in lines[2:]] == ["+", ">", "."]


def test_a_run_without_steps_in_sight_is_drawn() -> None:
    assert drawn(state(status="completed"))[0] == "Nightly  run-1"


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ({"percent": 30}, 30),
        ({"items": [{"state": "completed"}, {"state": "active", "percent": 50}, {"label": "c"}]}, 50),
        ({"phases": [{}, {"percent": 50}], "active_phase": 1}, 75),
        ({"phases": [{}], "active_phase": 7}, 0),
        ({"message": "working"}, -1),
        (None, -1),
    ],
)
def test_percent_comes_from_whatever_tells_it(progress: Any, expected: float) -> None:
    assert step_percent(step(0, "in_progress", progress=progress), -1) == expected


def test_percent_of_a_run_counts_the_part_of_steps_in_progress() -> None:
    document = state(
        step(0, "completed"), step(1, "skipped"), step(2, "in_progress", progress={"percent": 50}), step(3)
    )
    assert percent(document) == 62.5


def test_retries_are_the_failures_that_were_tried_again() -> None:
    assert retries(state(step(0, "completed", failures=2), step(1, "failed", failures=3))) == 4


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"), (820.4, "820 ms"), (999.6, "1 s"), (14_000, "14 s"), (59_600, "1 m 00 s"), (135_000, "2 m 15 s"),
        (11_040_000, "3 h 04 m"), (183_600_000, "2 d 03 h"), (None, ""),
    ],
)  # fmt: skip
def test_durations_are_in_two_units_at_most(ms: float | None, text: str) -> None:
    assert words.duration(ms) == text


def test_summary_names_steps_time_and_retries() -> None:
    document = state(step(0, "completed"), status="completed")
    assert words.summary(document, 1) == "1 step in 1 m 15 s, 1 retry"
    assert words.summary(state(step(0), step(1), status="failed"), 0) == "2 steps in 1 m 15 s, 0 retries"


def test_events_move_progress_and_ask_for_the_state_when_a_step_changes() -> None:
    view = RunView()
    view.replace(state(step(0, "in_progress", attempt=2)))
    event = {"type": "progress", "index": 0, "key": "s0", "attempt": 2, "progress": {"percent": 10}}
    kept = view.state
    assert not view.apply(event)
    assert view.state is not None
    assert view.state["steps"][0]["progress"] == {"percent": 10}
    assert kept is not None
    assert kept["steps"][0]["progress"] is None, "a reader keeps what it has"
    assert not view.apply(event | {"attempt": 1, "progress": {"percent": 99}}), "an attempt that is over"
    assert view.apply(event | {"attempt": 3}), "an attempt that is not known yet"
    assert view.apply({"type": "step", "index": 0})
    assert view.apply({"type": "run"})
    assert not view.apply({"type": "log"})


def test_a_state_that_is_behind_the_events_does_not_set_progress_back() -> None:
    view = RunView()
    late = state(step(0, "in_progress", progress={"percent": 10}))
    view.replace(late)
    view.apply({"type": "progress", "index": 0, "key": "s0", "attempt": 1, "progress": {"percent": 60}})
    view.replace(late)
    assert view.state is not None
    assert view.state["steps"][0]["progress"] == {"percent": 60}
    view.forget_progress()
    view.replace(late)
    assert view.state["steps"][0]["progress"] == {"percent": 10}


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.progress = PlainProgress(Console(file=self.stream, width=80, markup=False, highlight=False), lambda: NOW)

    @property
    def said(self) -> list[str]:
        return [line.partition(" ")[2] for line in self.stream.getvalue().splitlines()]


def test_plain_lines_tell_what_changed_and_nothing_twice() -> None:
    lines = Lines()
    begun = state(step(0, "in_progress"), step(1))
    lines.progress.show(begun, "live")
    lines.progress.show(begun, "live")
    item = {"items": [{"label": "manager", "state": "active"}]}
    lines.progress.show(state(step(0, "in_progress", progress=item), step(1)), "live")
    lines.progress.show(state(step(0, "in_progress"), step(1)), "reconnecting")
    done = step(0, "completed", duration_ms=900, result={"message": "ok"})
    lines.progress.show(state(done, step(1, "failed", error={"message": "no"}), status="failed"), "live")
    assert lines.said == [
        "Nightly run-1: running, 2 steps",
        "s0: in_progress",
        "s0: manager: active",
        "the server does not answer, reconnecting",
        "reconnected",
        "s0: completed in 900 ms - ok",
        "s1: failed - no",
        "Nightly: failed",
    ]


def test_a_pipe_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display(make_console(), lambda: NOW) as display:
        display.show(state(step(0, "in_progress"), name="[bold]x[/bold] :tada:"), "live")
    assert "[bold]x[/bold] :tada: run-1: running, 1 steps" in capsys.readouterr().out


def test_a_terminal_keeps_the_last_picture() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=90, height=8, force_terminal=True, color_system=None, _environ={})
    steps = [step(n, "completed") for n in range(20)]
    with progress_display(console, lambda: NOW) as display:
        display.show(state(*steps, status="completed"), "live")
        display.say("killed \x1b[2Jweb")
    text = stream.getvalue()
    assert "killed web" in text
    assert all(f"Step {n}" in text for n in range(20)), "all of it, although the terminal is lower"
