"""Workflows and parameters as users write them, and what is said when they cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.workflow_file import BadInput, read_object, read_params, read_workflow


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes) -> str:
        path = tmp_path / "w.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_yaml_and_json_are_read(write) -> None:
    assert read_workflow(write("name: n\nsteps:\n- {key: a, action: noop}\n"))["steps"][0]["key"] == "a"
    assert read_workflow(write('\ufeff{"steps": [{"key": "a"}], "params": {"n": 1.5}}'))["params"] == {"n": 1.5}


def test_a_list_is_taken_for_the_steps(write) -> None:
    assert read_workflow(write("- {key: a, action: noop}")) == {"steps": [{"key": "a", "action": "noop"}]}


def test_a_date_stays_text(write) -> None:
    assert read_workflow(write("params: {day: 2026-01-02}\nsteps: []"))["params"] == {"day": "2026-01-02"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: [", "line 1, column 9"),
        ("a: 1\n b: 2\n", "line 2, column 3"),
        ("a: 1\na: 2\n", "line 2, column 1: the key 'a' is repeated"),
        ("on: 1\n", "line 1, column 1: the key 'on' is no text"),
        ("just text", "a workflow is an object"),
        ("", "a workflow is an object"),
        ("x: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("steps: .nan", "no form in JSON"),
        ("steps: &a [*a]", "no form in JSON"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        ("a: \x00", "this is not YAML or JSON"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(write, text: str | bytes, said: str) -> None:
    with pytest.raises(BadInput, match=r"w\.yaml") as caught:
        read_workflow(write(text))
    assert said in str(caught.value)


def test_a_missing_file_is_one_sentence() -> None:
    with pytest.raises(BadInput, match=r"^no/such\.yaml: No such file or directory$"):
        read_workflow("no/such.yaml")


def test_parameters_are_json_where_they_can_be() -> None:
    given = ["n=3", "text=hello world", "list=[1]", "empty=", "eq=a=b"]
    assert read_params(given) == {"n": 3, "text": "hello world", "list": [1], "empty": "", "eq": "a=b"}


@pytest.mark.parametrize("given", ["n", "=3", "x=NaN"])
def test_parameters_without_a_name_or_a_json_form_are_refused(given: str) -> None:
    with pytest.raises(BadInput, match="--param"):
        read_params([given])


def test_an_object_comes_from_the_line_or_a_file(write) -> None:
    assert read_object('{"a": 1}', "--payload") == {"a": 1}
    assert read_object("@" + write("a: 1"), "--payload") == {"a": 1}


@pytest.mark.parametrize("text", ["[1]", "{", "x", '{"a": NaN}'])
def test_a_payload_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--payload"):
        read_object(text, "--payload")
