from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.references import (
    MAX_REFERENCES,
    InvalidReference,
    Reference,
    UnresolvedReference,
    find_references,
    referenced_steps,
    resolve,
)
from orchestration.errors import InvalidWorkflow, TooLarge

SCOPE: dict[str, Any] = {
    "params": {"city": "Köln", "depth": 3, "tags": ["a", "b"], "raw": "{{ steps.scan.result.secret_word }}"},
    "run": {"id": "run-1", "name": "nightly"},
    "steps": {
        "scan": {
            "status": "completed",
            "result": {"files": [{"name": "a.txt"}, {"name": "b.txt"}], "n": 2, "none": None},
        },
        "skipped": {"status": "skipped", "result": None},
        "empty": {"status": "completed", "result": None},
    },
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def nested(levels: int, leaf: object) -> object:
    value = leaf
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ params.depth }}", 3),
        ("{{params.tags}}", ["a", "b"]),
        ("  {{ params.tags.1 }}\n", "b"),
        ("{{ steps.scan.result.files.0.name }}", "a.txt"),
        ("{{ steps.scan.result }}", SCOPE["steps"]["scan"]["result"]),
        ("{{ steps.scan.result.none }}", None),
        ("{{ steps.scan.status }}", "completed"),
        ("{{ run.id }}", "run-1"),
        ("{{ params }}", SCOPE["params"]),
    ],
)
def test_reference_alone_keeps_the_type_of_its_value(text, value):
    assert resolve({"x": [text]}, SCOPE) == {"x": [value]}


def test_reference_inside_a_longer_string_becomes_text():
    template = (
        "{{ params.city }}:{{ params.depth }}:{{ params.tags }}:{{ steps.scan.result.none }}:{{ steps.skipped.status }}"
    )
    assert resolve(template, SCOPE) == 'Köln:3:["a", "b"]::skipped'


def test_two_references_side_by_side_are_text():
    assert resolve("{{ params.depth }}{{ params.depth }}", SCOPE) == "33"


def test_what_a_reference_brings_in_is_not_scanned_again():
    assert resolve("{{ params.raw }}", SCOPE) == "{{ steps.scan.result.secret_word }}"
    assert resolve("say {{ params.raw }}", SCOPE) == "say {{ steps.scan.result.secret_word }}"


def test_keys_of_maps_are_not_templated():
    assert resolve({"{{ params.city }}": 1}, SCOPE) == {"{{ params.city }}": 1}
    assert find_references({"{{ not a path": 1}) == []


def test_path_below_a_skipped_step_reads_null():
    assert resolve("{{ steps.skipped.result.files.0 }}", SCOPE) is None


@pytest.mark.parametrize(
    "path",
    [
        "params.missing",
        "params.city.x",
        "params.tags.2",
        "params.tags.x",
        "steps.absent.result",
        "steps.scan.result.files.9.name",
        "steps.empty.result.x",
        "run.nothing",
    ],
)
def test_missing_path_is_an_error_that_names_it_and_its_place(path):
    with pytest.raises(UnresolvedReference) as caught:
        resolve({"a/b": ["ok", f"{{{{ {path} }}}}"]}, SCOPE)
    assert caught.value.path == path
    assert path in caught.value.message or "absent" in caught.value.message
    assert caught.value.where == "/a~1b/1"


@pytest.mark.parametrize(
    "text",
    [
        "{{",
        "{{ }}",
        "{{ params.x",
        "x {{ params.x } }} y",
        "{{ params..x }}",
        "{{ params. }}",
        "{{ steps }}",
        "{{ steps.a }}",
        "{{ steps.a.output }}",
        "{{ steps.a.status.x }}",
        "{{ run }}",
        "{{ env.HOME }}",
        "{{ params.x | upper }}",
        "{{ f() }}",
        "{{{ params.x }}}",
        "{{.Names}}",
        "{{ params." + "x" * 400 + " }}",
        "{{ params" + ".x" * 40 + " }}",
    ],
)
def test_malformed_reference_is_refused_with_its_place(text):
    with pytest.raises(InvalidReference) as caught:
        find_references({"argv": ["echo", text]}, where="/steps/3/params")
    assert caught.value.where == "/steps/3/params/argv/1"
    assert isinstance(caught.value, InvalidWorkflow)


def test_references_are_found_in_order_with_their_steps():
    value = {"a": "{{ params.x }} and {{ steps.one.result.y.0 }}", "b": [{"c": "{{ steps.two.status }}"}]}
    assert find_references(value) == [
        Reference("params", None, ("x",)),
        Reference("steps", "one", ("result", "y", "0")),
        Reference("steps", "two", ("status",)),
    ]
    assert [str(reference) for reference in find_references(value)] == [
        "params.x",
        "steps.one.result.y.0",
        "steps.two.status",
    ]
    assert referenced_steps(value) == {"one", "two"}


def test_depth_and_number_are_bounded():
    find_references(nested(32, "{{ params.x }}"))
    with pytest.raises(InvalidReference, match="deeper"):
        find_references(nested(33, "{{ params.x }}"))
    with pytest.raises(InvalidReference, match="deeper"):
        find_references(nested(900, 1))
    with pytest.raises(InvalidReference, match="more than"):
        find_references(["{{ params.x }}"] * (MAX_REFERENCES + 1))


def test_what_references_bring_in_is_bounded():
    scope = {"params": {"x": "y" * 100_000}}
    with pytest.raises(TooLarge):
        resolve(["{{ params.x }}"] * 3, scope)
    with pytest.raises(TooLarge):
        resolve("{{ params.x }}" * 3, scope)


def test_a_reference_may_not_name_a_secret():
    with pytest.raises(InvalidReference, match="secret"):
        find_references({"auth": {"secret": "{{ params.name }}"}})
    for hidden in ({"secret": "x"}, [{"a": {"secret": "x", "prefix": "Bearer "}}]):
        with pytest.raises(InvalidReference, match="secret"):
            resolve({"auth": "{{ steps.s.result }}"}, {"steps": {"s": {"status": "completed", "result": hidden}}})


def test_a_map_that_merely_has_a_secret_among_others_passes():
    result = {"secret": "x", "size": 3}
    assert resolve("{{ steps.s.result }}", {"steps": {"s": {"status": "completed", "result": result}}}) == result


@given(json_values)
def test_value_without_references_comes_back_unchanged(value):
    if "{{" not in json.dumps(value, ensure_ascii=False):
        assert resolve(value, SCOPE) == value


@given(json_values)
def test_any_run_parameter_comes_back_as_it_is(value):
    if '"secret"' not in json.dumps(value):
        assert resolve("{{ params.v }}", {"params": {"v": value}}) == value


@given(st.text(alphabet="{} .paramsteun0_-|\n", max_size=60))
def test_any_text_resolves_or_is_refused(text):
    try:
        resolve(text, SCOPE)
    except (InvalidReference, UnresolvedReference):
        return
