"""A missed target: said, and a failure only where that is asked for."""

from __future__ import annotations

import argparse

import pytest

from bench import http, steps
from bench.results import Results
from bench.strict import MISSED_TARGETS, add_strict, exit_status
from bench.targets import Target, any_missed, plain, verdicts

TARGET = Target("a step, ms", plain("perdure", "chain-100"), "<=", 2.0)


@pytest.mark.parametrize(
    ("failed", "missed", "strict", "status"),
    [
        (False, False, False, 0),
        (False, True, False, 0),
        (False, True, True, 1),
        (False, False, True, 0),
        (True, False, False, 1),
    ],
)
def test_only_what_failed_or_was_asked_for_strictly_ends_badly(
    failed: bool, missed: bool, strict: bool, status: int
) -> None:
    assert exit_status(failed=failed, missed=missed, strict=strict) == status


def test_strict_is_asked_for() -> None:
    told = argparse.ArgumentParser()
    add_strict(told)
    assert told.parse_args([]).strict is False
    assert told.parse_args(["--strict"]).strict is True


@pytest.mark.parametrize("main", [http.main, steps.main])
def test_both_benchmarks_say_what_a_missed_target_means(main, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert MISSED_TARGETS in told
    assert "--strict" in told


@pytest.mark.parametrize(("found", "is_missed"), [([1.5], False), ([2.5], True), ([], False)])
def test_what_was_not_measured_is_not_missed(found: list[float], is_missed: bool) -> None:
    results = Results()
    for number, sample in enumerate(found):
        results.add("perdure", "chain-100", number, sample)
    assert any_missed(verdicts(results, [TARGET])) is is_missed
