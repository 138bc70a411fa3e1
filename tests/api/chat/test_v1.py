"""The web process says where OpenAI's interface is."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models"), ("POST", "/v1/chat/completions"), ("GET", "/v1/")])
def test_openais_interface_is_said_to_be_at_the_relay(viewer, anonymous, method, path):
    body = {} if method == "POST" else None
    assert anonymous.open(path, method=method, json=body).status_code == 401
    answer = viewer.open(path, method=method, json=body)
    assert answer.status_code == 421
    assert answer.json["code"] == "at_the_relay"
    assert "/v1" in answer.json["detail"]
    assert answer.json["error"]["message"] == answer.json["detail"]
