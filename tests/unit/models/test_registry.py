import subprocess
import sys

import pytest

from orchestration.actions.outcomes import Permanent
from orchestration.errors import InvalidChat
from orchestration.models.flow import flow_of
from orchestration.models.port import ModelRequest
from orchestration.models.registry import ModelRegistry
from schemas.chat import ContextMessage
from settings import ROOT

PROVIDERS = {
    "openai": {"base_url": "https://api.example.com/v1", "secret": "openai", "models": ["gpt-5", "o/mini"]},
    "local": {"base_url": "http://127.0.0.1:9/v1", "continues": "vllm", "label": "Ours"},
}


def test_a_model_is_found_by_its_providers_name_and_its_own():
    registry = ModelRegistry(PROVIDERS)
    model, name = registry.find("openai/o/mini")
    assert (model.name, name, model.continues, tuple(model.models())) == (
        "openai",
        "o/mini",
        False,
        ("gpt-5", "o/mini"),
    )
    model, name = registry.find("local/whatever:it-is-called")
    assert (model.name, name, model.continues, tuple(model.models())) == ("local", "whatever:it-is-called", True, ())
    assert registry.find("demo/plain")[1] == "plain"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai/gpt-4", "openai has openai/gpt-5, openai/o/mini"),
        ("demo/gpt", "demo has demo/plain"),
        ("nobody/gpt", "no provider 'nobody', but openai, local, demo"),
        ("gpt-5", "no provider 'gpt-5'"),
        ("local/", "no model 'local/'"),
        ("pipe/none", "pipe has"),
    ],
)
def test_an_unknown_name_is_answered_with_those_there_are(name, says):
    with pytest.raises(InvalidChat, match=says):
        ModelRegistry(PROVIDERS).find(name)


def test_who_names_an_unknown_model_is_told_where_the_known_ones_are():
    with pytest.raises(InvalidChat) as caught:
        ModelRegistry(PROVIDERS).find("nobody/gpt")
    assert caught.value.mend == (
        "name a model that GET /v1/models lists, or add its provider to PERDURE_MODEL_PROVIDERS"
    )


def test_the_demo_can_be_turned_off():
    registry = ModelRegistry(PROVIDERS, demo_models=False)
    with pytest.raises(InvalidChat, match="no provider 'demo'"):
        registry.find("demo/plain")
    assert all(model.provider != "demo" for model in registry.models())


def test_the_list_has_what_can_be_named_with_labels():
    shown = {model.name: model.label for model in ModelRegistry(PROVIDERS).models()}
    assert shown["openai/gpt-5"] == "openai: gpt-5"
    assert "no language model" in shown["demo/plain"]
    assert not any(name.startswith("local/") for name in shown)


def test_the_default_is_that_of_the_settings_or_the_first_listed(monkeypatch):
    monkeypatch.setattr("orchestration.models.pipes._pipes", {})  # other tests declare some
    assert ModelRegistry(PROVIDERS, default="local/x").default == "local/x"
    assert ModelRegistry(PROVIDERS).default == "openai/gpt-5"
    with pytest.raises(InvalidChat, match="no default model"):
        _ = ModelRegistry(demo_models=False).default


def test_a_key_is_read_only_when_the_model_is_asked():
    model, name = ModelRegistry(PROVIDERS).find("openai/gpt-5")
    with pytest.raises(Permanent, match="cannot be read here"):
        next(model.stream(ModelRequest(name, (ContextMessage(role="user", content="hi"),)), lambda _: None))


def test_breaker_and_rate_limit_are_those_of_the_provider():
    flow = flow_of("openai/gpt-5")
    assert flow.breaker.name == "model:openai"
    assert [limit.name for limit in flow.rate_limits] == ["model:openai"]
    assert "model.rate_limited" not in flow.breaker.counts


def test_making_a_registry_imports_no_client():
    code = (
        "import sys; from orchestration.models.registry import ModelRegistry;"
        "ModelRegistry({'a': {'base_url': 'http://h/v1'}}).models();"
        "sys.exit(any(name in sys.modules for name in ('openai', 'httpx2', 'httpcore2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
