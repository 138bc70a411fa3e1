"""YAML and JSON as people write them: read as JSON, and refused with the place, at once whatever is in it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from schemas.yaml_text import MAX_DEPTH, Unreadable, read_workflow_text, read_yaml

MOST = 200_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name: n\nsteps:\n- {key: a, action: noop}\n", {"name": "n", "steps": [{"key": "a", "action": "noop"}]}),
        ("- key: a\n", {"steps": [{"key": "a"}]}),
        ('{\n\t"a": 1.5,\n\t"b": null\n}', {"a": 1.5, "b": None}),
        ("day: 2026-01-02\nequals: =\n", {"day": "2026-01-02", "equals": "="}),
        ("a: &a {x: 1}\nb: {<<: *a, y: [*a]}\n", {"a": {"x": 1}, "b": {"x": 1, "y": [{"x": 1}]}}),
        ("script: |\n  one\n   two\n", {"script": "one\n two\n"}),
        ("a: yes\nb: 010\nc: !!str 1\n", {"a": True, "b": 8, "c": "1"}),
    ],
)
def test_yaml_is_read_as_json(text: str, value: object) -> None:
    assert read_workflow_text(text, max_values=MOST) == value


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("steps: [", 1, 9, "did not find expected node"),
        ("a: 1\n b: 2\n", 2, 3, "mapping values are not allowed"),
        ("a: 1\nb:\n  a: 2\n  a: 3\n", 4, 3, "the key 'a' is repeated"),
        ("steps:\n- on: 1\n", 2, 3, "the key 'on' is no text"),
        ("? [a]\n: b\n", 1, 3, "this key is no text"),
        ("a: !!python/object/apply:os.system [true]", 1, 4, "could not determine a constructor"),
        ("a: !!set {b, c}", 1, 4, "could not determine a constructor"),
        ("a: !!binary aGk=", 1, 4, "could not determine a constructor"),
        ("a: !!bool perhaps", 1, 4, "'perhaps' is no bool"),
        ("a: !!int b", 1, 4, "'b' is no int"),
        ("a:\n- .nan", 2, 3, "no form in JSON"),
        ("a: -.inf", 1, 4, "no form in JSON"),
        ("a: *b", 1, 4, "undefined alias"),
        ("a: &a [*a]", 1, 8, "holds itself"),
        ("a: b\nc: \x07", 2, 4, "the character U+0007 is not allowed"),
        ("--- {}\n--- {}", 2, 1, "expected a single document"),
        ("only text", 1, 1, "a workflow is an object"),
        ("", 1, 1, "a workflow is an object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_workflow_text(text, max_values=MOST)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert said in caught.value.detail


def aliases_of_aliases() -> str:
    """Nine times nine times nine ..."""
    names = "abcdefghijklmnop"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{to}: &{to} [{', '.join([f'*{of}'] * 9)}]" for of, to in pairwise(names)]
    return "\n".join(lines)


def merges_of_merges() -> str:
    lines = ["m0: &m0 {x: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 14)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (aliases_of_aliases(), "too many to read"),
        (merges_of_merges(), "too many to read"),
        ("[" + "a," * MOST + "a]", "too many to read"),
        ("[" * 300_000, f"more than {MAX_DEPTH} levels"),
        ("- " * 300_000, f"more than {MAX_DEPTH} levels"),
        ("{a: " * 300_000, f"more than {MAX_DEPTH} levels"),
        ("a: 1" + ":1" * 300_000, "a number of 600001 characters"),
        ("a: " + "9" * 100_000, "a number of 100000 characters"),
    ],
    ids=["aliases", "merges", "values", "flow", "block", "objects", "base of 60", "digits"],
)
def test_a_text_that_would_cost_much_is_refused_soon(text: str, said: str) -> None:
    before = time.process_time()
    with pytest.raises(Unreadable, match=said):
        read_yaml(text, max_values=MOST)
    # Each of them takes minutes, or all memory, where it is not looked for.
    assert time.process_time() - before < 5


def test_aliases_that_stand_for_little_are_read() -> None:
    text = "base: &base {retries: 3}\nsteps: [" + ", ".join(["{params: *base}"] * 1000) + "]"
    found = read_workflow_text(text, max_values=MOST)
    assert found["steps"][999] == {"params": {"retries": 3}}
