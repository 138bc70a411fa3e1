"""Signals whose step says what it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.services import Services
from tests.api.workflow.conftest import Worker
from tests.api.workflow.test_start import document

FIELDS = {
    "title": "Ship it?",
    "properties": {
        "where": {"enum": ["staging", "production"], "title": "Where to"},
        "share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.1},
        "times": {"type": "integer"},
        "note": {"type": "string", "maxLength": 10},
        "sure": {"type": "boolean"},
    },
    "required": ["where", "sure"],
}


def start(client: FlaskClient, fields: Any = FIELDS, **params: Any) -> Any:
    step = {"key": "ask", "action": "wait_for_signal", "params": {"fields": fields, **params}}
    return client.post("/workflow/start", json={"workflow_id": "asking", "steps": [step]})


def send(client: FlaskClient, **payload: Any) -> Any:
    return client.post("/workflow/signal", json={"workflow_id": "asking", "step": "ask", "payload": payload})


def stored(services: Services) -> Any:
    return services.database.rows("SELECT payload FROM signals")


@pytest.mark.parametrize(
    ("payload", "where", "says"),
    [
        ({"sure": True}, "/payload/where", "missing"),
        ({"where": "here", "sure": True}, "/payload/where", "'staging', 'production'"),
        ({"where": "staging", "sure": 1}, "/payload/sure", "true or false"),
        ({"where": "staging", "sure": None}, "/payload/sure", "true or false"),
        ({"where": "staging", "sure": True, "share": 1.5}, "/payload/share", "at most 1"),
        ({"where": "staging", "sure": True, "share": -1}, "/payload/share", "at least 0"),
        ({"where": "staging", "sure": True, "share": True}, "/payload/share", "a number"),
        ({"where": "staging", "sure": True, "times": 1.5}, "/payload/times", "a whole number"),
        ({"where": "staging", "sure": True, "times": "1"}, "/payload/times", "a whole number"),
        ({"where": "staging", "sure": True, "note": "x" * 11}, "/payload/note", "10 characters"),
        ({"where": "staging", "sure": True, "a/b": 1}, "/payload/a~1b", "not asked for"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_and_nothing_stored(
    payload: dict[str, Any], where: str, says: str, operator: FlaskClient, services: Services
) -> None:
    assert start(operator).status_code == 200
    answer = send(operator, **payload)
    body = document(answer)
    assert (answer.status_code, body["code"], body["where"]) == (400, "invalid_signal", where)
    assert says in body["message"]
    assert stored(services) == []


def test_a_payload_that_fits_is_stored_with_the_defaults_of_what_it_leaves_out(
    operator: FlaskClient, services: Services, worker: Worker
) -> None:
    start(operator)
    assert send(operator, where="staging", sure=False, times=3).status_code == 200
    assert stored(services) == [({"where": "staging", "share": 0.1, "times": 3, "sure": False},)]
    assert worker.claim("asking").signal == {"where": "staging", "share": 0.1, "times": 3, "sure": False}


def test_the_page_finds_the_form_in_the_parameters_of_the_step(operator: FlaskClient) -> None:
    start(operator, prompt="Ship {{ run.name }}?")
    step = document(operator.get("/workflow/steps?workflow_id=asking&step=ask"))["step"]
    assert step["params"]["fields"] == FIELDS


def test_without_fields_anything_will_do(operator: FlaskClient, services: Services) -> None:
    start(operator, None)
    assert send(operator, approved=True, comment="fine", more=[1]).status_code == 200
    assert stored(services) == [({"approved": True, "comment": "fine", "more": [1]},)]


@pytest.mark.parametrize(
    "fields",
    [
        {"properties": {}},
        {"properties": {"a": {}}},
        {"properties": {"a": {"type": "object"}}},
        {"properties": {"a": {"type": "array", "items": {}}}},
        {"properties": {"a": {"$ref": "https://evil.example/schema"}}},
        {"properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        {"properties": {"a": {"type": "string", "default": 1}}},
        {"properties": {"a": {"type": "integer", "enum": [1, "2"]}}},
        {"properties": {"a": {"type": "number", "minimum": 1, "default": 0}}},
        {"properties": {"a b": {"type": "string"}}},
        {"properties": {"a": {"type": "string"}}, "required": ["b"]},
        {"properties": {"a": {"type": "string"}}, "additionalProperties": True},
        {"properties": {f"f{n}": {"type": "string"} for n in range(51)}},
        {"properties": {"a": {"enum": list(range(101))}}},
        {"type": "array", "properties": {"a": {"type": "string"}}},
        {"properties": {"a": {"type": "string", "title": "{{ params.title }}"}}},
        "{{ params.form }}",
    ],
)
def test_fields_that_cannot_be_a_form_are_refused_at_the_start(fields: Any, operator: FlaskClient) -> None:
    answer = start(operator, fields)
    body = document(answer)
    assert (answer.status_code, body["code"]) == (400, "invalid_workflow")
    assert body["where"].startswith("/steps/0/params")


@pytest.mark.parametrize("value", [1, 1.0])
def test_a_choice_of_numbers_is_not_a_choice_of_truths(value: float, operator: FlaskClient, services: Services) -> None:
    start(operator, {"properties": {"a": {"enum": [1, 2]}}})
    assert send(operator, a=True).status_code == 400
    assert send(operator, a=value).status_code == 200
