from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from api.refusal import Refusal
from api.relay.chat_work import ChatWork
from api.relay.openai_answers import model_of
from api.relay.openai_routes import name_of
from orchestration.models.registry import ModelRegistry
from schemas.chat import Mixture

TEAM = {"proposers": ["demo/fast", "demo/plain"], "aggregator": "demo/fast"}
MIXTURES = {
    "deep": Mixture.model_validate(TEAM | {"layers": 2}),
    "team": Mixture.model_validate(TEAM),
}


def work(*, runs: bool = True) -> ChatWork:
    settings = SimpleNamespace(server_side_orchestration=runs)
    return cast(ChatWork, SimpleNamespace(models=ModelRegistry(mixtures={"team": TEAM}), settings=settings))


def message(model: str, *agents: str) -> dict[str, Any]:
    return {"model": model, "proposals": [{"model": one} for one in agents] or None}


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (message("demo/fast"), "demo/fast"),
        (message("demo/fast", "demo/fast", "demo/plain"), "mixture/team"),
        (message("demo/fast", *["demo/fast", "demo/plain"] * 2), "mixture/deep"),
        # Of none that is set now.
        (message("demo/plain", "demo/fast", "demo/plain"), "demo/plain"),
        (message("demo/fast", "demo/plain", "demo/fast"), "demo/fast"),
    ],
)
def test_an_answer_of_a_mixture_is_named_by_the_mixture(found, name):
    assert model_of(found, MIXTURES) == name


def test_a_mixture_is_a_model_by_its_name():
    assert name_of(work(), "mixture/team") == "mixture/team"


@pytest.mark.parametrize(
    ("runs", "says"),
    [(True, "there is no mixture 'trio'; there is mixture/team"), (False, "mixtures are answered by runs")],
)
def test_an_unknown_mixture_is_no_unknown_provider(runs, says):
    with pytest.raises(Refusal, match=says) as caught:
        name_of(work(runs=runs), "mixture/trio")
    assert "provider" not in str(caught.value)
