from __future__ import annotations

import json

import pytest

from api.blueprints.actions import _shown
from orchestration.actions.registry import load_actions

ACTIONS = load_actions()


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_every_bundled_action_can_be_shown(name: str) -> None:
    shown = json.loads(json.dumps(_shown(ACTIONS[name], [])))
    assert shown["name"] == name
    assert shown["summary"].endswith(".")
    assert shown["parameters"]["type"] == "object"
