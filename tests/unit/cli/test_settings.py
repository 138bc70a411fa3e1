from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from cli.configuration import configuration_page
from settings import ROOT, STACK_FILE, SettingsInvalid, load_settings
from workers.process import flow_defaults


@pytest.fixture(autouse=True)
def _own_data_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("PERDURE_DATA_DIR", str(tmp_path / "data"))


def test_environment_wins_over_the_file_and_the_file_over_defaults(monkeypatch, tmp_path):
    file = tmp_path / "perdure.yaml"
    file.write_text("workflow: {step_delay: 1, max_history: 7}\nactions: {noop: {a: 1}}\nx-somebody-else: [1]\n")
    monkeypatch.setenv("PERDURE_CONFIG", str(file))
    monkeypatch.setenv("PERDURE_MAX_HISTORY", "9")
    settings = load_settings()
    assert (settings.workflow_step_delay_s, settings.max_history, settings.poll_interval_s) == (1, 9, 2)
    assert settings.action_defaults == {"noop": {"a": 1}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("workflow: {step_dealy: 1}", "step_dealy"),
        ("workflow: [1]", "mapping"),
        ("- 1", "mapping"),
        ("a: {", "read"),
        ("chat_filter: [mask_emails]", "unknown: chat_filter; known: .*chat_filters"),
        ("chat_filter_options: [1]", "mapping"),
        ("1: 2", "unknown: 1"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(monkeypatch, tmp_path, content, said):
    file = tmp_path / "perdure.yaml"
    file.write_text(content)
    monkeypatch.setenv("PERDURE_CONFIG", str(file))
    with pytest.raises(SettingsInvalid, match=said) as caught:
        load_settings()
    assert str(file) in str(caught.value)


def test_filters_their_options_and_the_default_model_are_read_from_the_file(monkeypatch, tmp_path):
    file = tmp_path / "perdure.yaml"
    file.write_text(
        "chat_filters: [mask_emails, mask_secrets]\nchat_filter_options: {trim_context: {max_tokens: 9}}\n"
        "default_model: demo/fast\n"
    )
    monkeypatch.setenv("PERDURE_CONFIG", str(file))
    settings = load_settings()
    assert settings.chat_filters == ("mask_emails", "mask_secrets")
    assert settings.filter_options["trim_context"] == {"max_tokens": 9}
    assert settings.default_model == "demo/fast"
    file.write_text("chat_filters:\ndefault_model:\n")
    assert (load_settings().chat_filters, load_settings().default_model) == ((), "")
    file.write_text("chat_filters: {a: 1}\n")
    with pytest.raises(SettingsInvalid, match="PERDURE_CHAT_FILTERS"):
        load_settings()


def test_wrong_values_are_named_by_their_variable_and_secrets_are_not_shown(monkeypatch):
    monkeypatch.setenv("PERDURE_PORT", "eighty")
    monkeypatch.setenv("PERDURE_ADMIN_TOKEN", "hush-hush")
    with pytest.raises(SettingsInvalid, match=r"^PERDURE_PORT: [^;]*$") as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_relay_and_flower_ports_follow_the_web_port(monkeypatch):
    monkeypatch.setenv("PERDURE_PORT", "9000")
    settings = load_settings()
    assert (settings.relay_port, settings.flower_port) == (9001, 9002)


def test_fault_hook_is_refused_outside_of_tests(monkeypatch):
    monkeypatch.setenv("PERDURE_FAULT_HOOK", "some.hook")
    with pytest.raises(SettingsInvalid, match="PERDURE_TESTING=1"):
        load_settings()
    monkeypatch.setenv("PERDURE_TESTING", "1")
    assert load_settings().fault_hook == "some.hook"


def test_a_lease_must_outlive_three_heartbeats(monkeypatch):
    monkeypatch.setenv("PERDURE_HEARTBEAT_S", "6")
    with pytest.raises(SettingsInvalid, match="third"):
        load_settings()


def test_lists_are_split_at_commas(monkeypatch):
    monkeypatch.setenv("PERDURE_ACTIONS", "one.module, two.module,")
    assert load_settings().actions == ("one.module", "two.module")


def test_unset_urls_are_those_of_the_stack_that_runs_in_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere/0")
    (tmp_path / "data").mkdir()
    known = {"pid": os.getpid(), "database_url": "postgresql://here", "redis_url": "redis://here/0"}
    (tmp_path / "data" / STACK_FILE).write_text(json.dumps(known))
    settings = load_settings()
    assert (settings.database_url, settings.redis_url) == ("postgresql://here", "redis://elsewhere/0")
    assert load_settings(attach=False).database_url == ""


def test_the_file_of_a_stack_that_was_killed_is_not_believed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "data").mkdir()
    known = {"pid": ended.pid, "database_url": "postgresql://here"}
    (tmp_path / "data" / STACK_FILE).write_text(json.dumps(known))
    assert load_settings().database_url == ""


def test_a_process_that_needs_servers_says_which_variable_is_missing():
    with pytest.raises(SettingsInvalid, match="REDIS_URL is not set"):
        load_settings(database_url="postgresql://h/d").require_servers()
    both = load_settings(database_url="postgresql://h/d", redis_url="redis://h/0")
    assert both.require_servers() is both


def test_secrets_are_not_in_the_representation():
    settings = load_settings(admin_token="hush", database_url="postgresql://app:hush@h/d")
    assert "hush" not in repr(settings)


def test_importing_settings_reads_no_environment():
    code = "import os; os.environ['PERDURE_PORT'] = 'x'; os.environ['PERDURE_CONFIG'] = '/nowhere'; import settings"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_configuration_page_is_current():
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration_page(), "run `make docs`"


def test_background_runs_may_begin_any_number_of_steps_where_the_rate_is_none(monkeypatch):
    monkeypatch.setenv("PERDURE_BACKGROUND_RATE", "none")
    assert flow_defaults(load_settings()).kind_rates == {}
    monkeypatch.setenv("PERDURE_BACKGROUND_RATE", "3/minute")
    assert {rate.limit for rate in flow_defaults(load_settings()).kind_rates.values()} == {3}
