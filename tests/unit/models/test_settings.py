import json

import pytest

from settings import SettingsInvalid, load_settings

PROVIDER = {"base_url": "https://someone:hunter2@api.example.com/v1"}


def settings_with(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
    return load_settings(attach=False)


def test_providers_come_from_json_and_from_the_file(monkeypatch, tmp_path):
    read = settings_with(monkeypatch, PERDURE_MODEL_PROVIDERS={"a": PROVIDER})
    assert read.model_providers == {"a": PROVIDER}
    monkeypatch.delenv("PERDURE_MODEL_PROVIDERS")
    file = tmp_path / "perdure.yaml"
    file.write_text(
        "model_providers:\n  b: {base_url: 'http://h/v1'}\nmixtures:\n  team: {proposers: [b/x], aggregator: b/y}\n"
    )
    read = settings_with(monkeypatch, PERDURE_CONFIG=str(file))
    assert list(read.model_providers) == ["b"]
    assert read.mixtures["team"]["aggregator"] == "b/y"


def test_a_password_in_a_url_is_shown_nowhere(monkeypatch):
    read = settings_with(monkeypatch, PERDURE_MODEL_PROVIDERS={"a": PROVIDER})
    assert "hunter2" in read.own_secrets()
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {"PERDURE_MODEL_PROVIDERS": {"a": {"base_url": "ftp://x:hunter2@h"}}},
            "PERDURE_MODEL_PROVIDERS.*http or https",
        ),
        ({"PERDURE_MODEL_PROVIDERS": {"a": PROVIDER | {"continues": "maybe"}}}, "'a'.*continues"),
        ({"PERDURE_MODEL_PROVIDERS": {"a": PROVIDER | {"key": "hunter2"}}}, "key Extra inputs"),
        ({"PERDURE_MODEL_PROVIDERS": {"a": PROVIDER | {"base_url": "https://h/v1?key=hunter2"}}}, "no query"),
        ({"PERDURE_MODEL_PROVIDERS": {"demo": PROVIDER}}, "built-in"),
        ({"PERDURE_MODEL_PROVIDERS": {"A b": PROVIDER}}, "no name of a provider"),
        ({"PERDURE_MODEL_PROVIDERS": '{"a": {"base_url": "http://x:hunter2@'}, "model_providers.*not JSON"),
        ({"PERDURE_MIXTURES": {"team": {"proposers": []}}}, "PERDURE_MIXTURES.*'team'"),
        ({"PERDURE_MIXTURES": {"team": {"proposers": ["b/x"], "aggregator": "b/y"}}}, "'b/x' is of no provider"),
        ({"PERDURE_DEFAULT_MODEL": "b/x"}, "'b/x' is of no provider"),
    ],
)
def test_what_cannot_be_meant_is_said_without_its_value(monkeypatch, variables, says):
    with pytest.raises(SettingsInvalid, match=says) as refused:
        settings_with(monkeypatch, **variables)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["PERDURE_SERVER_SIDE_ORCHESTRATION", "ENABLE_SERVER_SIDE_ORCHESTRATION"])
def test_orchestration_can_be_turned_off_by_either_name(monkeypatch, name):
    assert load_settings(attach=False).server_side_orchestration is True
    assert settings_with(monkeypatch, **{name: "false"}).server_side_orchestration is False
