"""What peers and the driver share: the line protocol, and marks in shared memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.peers.marks import Marks
from settings import ROOT

PEER = """
import sys
from bench.peers.protocol import Unsupported, serve

class Peer:
    def add(self, one, two):
        print("this goes to stderr")
        return {"sum": one + two}
    def fan(self):
        raise Unsupported("has no joins")
    def fails(self):
        raise RuntimeError("as asked")
    def stop(self):
        sys.stderr.write("stopped")
        return {}

serve(Peer())
"""


def ask(*requests: tuple[str, dict[str, int]]) -> tuple[list[dict[str, object]], str]:
    text = "".join(json.dumps({"do": what, "with": values}) + "\n" for what, values in requests)
    done = subprocess.run(
        [sys.executable, "-c", PEER], input=text, capture_output=True, text=True, cwd=ROOT, check=True, timeout=30
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_peer_answers_line_by_line_and_what_it_prints_is_no_answer():
    answers, said = ask(("add", {"one": 1, "two": 2}), ("fan", {}), ("unknown", {}), ("fails", {}), ("stop", {}))
    assert answers[0] == {"ok": {"sum": 3}}
    assert answers[1] == {"unsupported": "has no joins"}
    assert answers[2] == {"unsupported": "has no unknown"}
    assert "RuntimeError: as asked" in str(answers[3]["error"])
    assert answers[4] == {"ok": {}}
    assert "this goes to stderr" in said
    assert said.count("stopped") == 1


def test_a_peer_whose_driver_is_gone_stops_what_it_started():
    answers, said = ask(("add", {"one": 1, "two": 2}))
    assert answers == [{"ok": {"sum": 3}}]
    assert said.count("stopped") == 1


def test_a_mark_is_seen_by_another_process(tmp_path):
    path = tmp_path / "marks"
    marks = Marks(path, 4)
    code = f"from pathlib import Path; from bench.peers.marks import Marks; Marks(Path({str(path)!r}), 4).mark(2)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=30)
    assert marks.get(2) > 0
    assert marks.times(4)[:2] == [0.0, 0.0]
    marks.mark(0)
    marks.mark(1)
    assert marks.wait(3, 1.0) == max(marks.times(3))
    marks.clear()
    assert marks.times(4) == [0.0] * 4


def test_waiting_for_marks_ends_with_an_error_that_counts_what_is_missing(tmp_path):
    marks = Marks(tmp_path / "marks", 4)
    marks.mark(0)
    with pytest.raises(TimeoutError, match="2 of 3"):
        marks.wait(3, 0.05)
