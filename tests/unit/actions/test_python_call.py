from __future__ import annotations

import sys

import pytest

from orchestration.actions import Permanent, Result, Retryable, callable_step
from orchestration.actions.python import CallParams, call
from orchestration.actions.testing import Recorder, make_context


@callable_step("tests.add")
def add(a: int, b: int = 1) -> int:
    print(f"adding {a} and {b}")
    print("no line end", end="", file=sys.stderr)
    return a + b


@callable_step("tests.answer")
def answer(kind: str) -> object:
    if kind == "raise":
        print("before")
        raise Retryable("later")
    return {"map": {"x": 1}, "result": Result("done"), "none": None}[kind]


def test_registered_function_is_called_and_its_output_logged():
    recorder = Recorder()
    assert call(make_context(recorder), CallParams(function="tests.add", args=[2], kwargs={"b": 3})) == {"result": 5}
    assert recorder.pieces == [("adding 2 and 3\n", "info"), ("no line end", "warning")]
    assert sys.stdout is not None


@pytest.mark.parametrize(("kind", "result"), [("map", {"x": 1}), ("result", Result("done")), ("none", None)])
def test_maps_and_results_are_answered_as_they_are(kind, result):
    assert call(make_context(), CallParams(function="tests.answer", args=[kind])) == result


def test_what_the_function_raises_passes_and_its_output_is_kept():
    recorder = Recorder()
    with pytest.raises(Retryable, match="later"):
        call(make_context(recorder), CallParams(function="tests.answer", args=["raise"]))
    assert recorder.log_text == "before\n"


def test_path_in_the_setting_is_imported():
    settings = {"python_callables": ("json.dumps", "math:sqrt")}
    assert call(make_context(settings=settings), CallParams(function="json.dumps", args=[[1]])) == {"result": "[1]"}
    assert call(make_context(settings=settings), CallParams(function="math:sqrt", args=[4])) == {"result": 2.0}


@pytest.mark.parametrize("name", ["os.system", "json.loads", "json", "math.sqrt", "tests.unknown", "json.dumps.x"])
def test_path_that_is_not_permitted_is_never_imported(name):
    with pytest.raises(Permanent, match="neither registered"):
        call(make_context(settings={"python_callables": ("json.dumps", "math:sqrt")}), CallParams(function=name))


@pytest.mark.parametrize("name", ["no_such_module_x.f", "json.no_such_name", "math.pi", "plain"])
def test_permitted_path_that_leads_nowhere_says_so(name):
    with pytest.raises(Permanent):
        call(make_context(settings={"python_callables": (name,)}), CallParams(function=name))


def test_endless_line_is_logged_in_pieces():
    @callable_step("tests.long_line")
    def long_line() -> None:
        for _ in range(100):
            print("x" * 1000, end="")

    recorder = Recorder()
    call(make_context(recorder), CallParams(function="tests.long_line"))
    assert len(recorder.log_text) == 100_000
    assert len(recorder.pieces) > 5
