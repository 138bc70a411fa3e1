"""A workflow in YAML is read as the command line reads it; what cannot be read is named by line and column."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from schemas.requests import MAX_TEXT
from tests.api.workflow.test_start import document

NIGHTLY = """\
# every night
name: Nightly
steps:
  - key: scan
    action: work
    params: &small {size: 3}
  - {key: report, action: work, needs: [scan], params: *small}
"""


def test_yaml_becomes_the_body_of_a_start(operator: FlaskClient) -> None:
    answer = operator.post("/workflow/read", json={"text": NIGHTLY})
    assert answer.status_code == 200, answer.text
    workflow = document(answer)["workflow"]
    assert workflow["steps"][1] == {"key": "report", "action": "work", "needs": ["scan"], "params": {"size": 3}}
    assert document(operator.get("/workflow/state"))["state"] is None, "it starts nothing"
    assert operator.post("/workflow/start", json=workflow).status_code == 200


def test_a_list_is_taken_for_the_steps_and_json_is_yaml(operator: FlaskClient) -> None:
    for text in ("- {key: a, action: work}", '[{"key": "a", "action": "work"}]'):
        read = document(operator.post("/workflow/read", json={"text": text}))
        assert read["workflow"] == {"steps": [{"key": "a", "action": "work"}]}


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("name: a\nsteps:\n  - key: b\n   action: c\n", 4, 4, "did not find expected"),
        ("name: a\nname: b\n", 2, 1, "the key 'name' is repeated"),
        ("a: &a [x, x]\nb: &b [*a, *b]\n", 2, 12, "holds itself"),
        ("just words", 1, 1, "a workflow is an object"),
    ],
)
def test_a_fault_has_its_line_and_column(operator: FlaskClient, text: str, line: int, column: int, said: str) -> None:
    answer = operator.post("/workflow/read", json={"text": text})
    problem = document(answer)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert (problem["type"], problem["line"], problem["column"]) == ("urn:perdure:malformed_yaml", line, column)
    assert problem["where"] == f"line {line}, column {column}"
    assert said in problem["detail"]


def test_a_few_lines_that_stand_for_gigabytes_are_refused(operator: FlaskClient) -> None:
    lines = ["- &0 [" + ", ".join("x" * 9) + "]"]
    lines += [f"- &{n} [{', '.join([f'*{n - 1}'] * 9)}]" for n in range(1, 12)]
    answer = operator.post("/workflow/read", json={"text": "\n".join(lines)})
    assert (answer.status_code, document(answer)["line"]) == (400, 6)
    assert "too many to read" in document(answer)["detail"]


def test_the_text_has_a_limit(operator: FlaskClient) -> None:
    answer = operator.post("/workflow/read", json={"text": "#" * (MAX_TEXT + 1)})
    assert (answer.status_code, document(answer)["where"]) == (400, "/text")


def test_who_may_not_start_may_not_let_texts_be_read(viewer: FlaskClient) -> None:
    assert viewer.post("/workflow/read", json={"text": NIGHTLY}).status_code == 403
