"""What `bench gates` makes of its samples."""

from __future__ import annotations

from bench.gates import AT_A_TIME, CASES, NONE, RUNS, handovers, table


def test_what_is_lost_is_compared_within_a_round():
    seconds = {case: [1.0, 2.0, 1.0] for case in CASES} | {"all three": [2.0, 2.5, 1.0]}
    lines = {line.split("  ")[1].strip(): line.split() for line in table(seconds)[2:]}
    assert lines[NONE][-2:] == [f"{RUNS:.0f}", f"{1000 / RUNS:.2f}"]
    assert lines["a breaker"][-5:] == ["0.00", "0%", "(0%", "to", "0%)"]
    # Of the rounds: a half, a fifth, nothing.
    assert lines["all three"][-5:] == [f"{500 / RUNS:.2f}", "20%", "(0%", "to", "50%)"]


def test_handovers_are_told_in_milliseconds():
    line = handovers([0.001] * 98 + [0.05, 0.2])
    assert f"{AT_A_TIME} runs" in line
    assert "101 steps" in line
    assert "1.0 ms in the middle, 50.0 ms at the 99th" in line
