from __future__ import annotations

import json
import os
import traceback
from pathlib import Path

import pytest

from orchestration.actions import Permanent
from orchestration.secrets import MAX_SECRET_BYTES, SecretStore


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    return secrets


def put(directory: Path, name: str, text: str | bytes, mode: int = 0o600) -> Path:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refused(store: SecretStore, name: str, **use: str) -> str:
    with pytest.raises(Permanent) as caught:
        store.get(name, action=use.pop("action", "noop"), **use)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    return caught.value.reason


def test_secret_is_read_from_its_file_without_the_final_line_end(directory):
    put(directory, "civitai", "hunter2 \n")
    assert SecretStore(directory, {}).get("civitai", action="noop") == "hunter2 "


def test_changed_file_is_read_anew(directory):
    store = SecretStore(directory, {})
    put(directory, "civitai", "one")
    assert store.get("civitai", action="noop") == "one"
    put(directory, "civitai", "two")
    assert store.get("civitai", action="noop") == "two"


def test_secret_may_come_from_the_environment_and_a_file_wins(directory):
    store = SecretStore(directory, {"PERDURE_SECRET_API_KEY": "env", "HOME": "/x"})
    assert store.get("api-key", action="noop") == "env"
    assert SecretStore(None, {"PERDURE_SECRET_API_KEY": "env"}).get("api_key", action="noop") == "env"
    put(directory, "api-key", "file")
    assert store.get("api-key", action="noop") == "file"


def test_missing_secret_says_how_to_add_it(directory):
    assert "PERDURE_SECRET_API_KEY" in refused(SecretStore(directory, {}), "api-key")
    assert "PERDURE_SECRETS_DIR" in refused(SecretStore(None, {}), "api-key")


@pytest.mark.parametrize("name", ["../passwd", "a/b", "", ".hidden", "x.policy", "a" * 65, "a\0", "/etc/passwd", "a\n"])
def test_name_that_is_no_name_is_refused(directory, name):
    assert "not the name" in refused(SecretStore(directory, {}), name)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o666])
def test_file_open_to_others_is_refused(directory, mode):
    put(directory, "civitai", "hunter2", mode)
    assert f"{mode:04o}" in refused(SecretStore(directory, {"PERDURE_SECRET_CIVITAI": "x"}), "civitai")


def test_link_out_of_the_directory_is_refused(directory, tmp_path):
    put(tmp_path, "outside", "hunter2")
    (directory / "civitai").symlink_to(tmp_path / "outside")
    assert "leaves" in refused(SecretStore(directory, {}), "civitai")


def test_link_inside_the_directory_is_followed_as_mounted_secrets_need(directory):
    (directory / "..data").mkdir()
    put(directory / "..data", "civitai", "hunter2")
    (directory / "civitai").symlink_to("..data/civitai")
    assert SecretStore(directory, {}).get("civitai", action="noop") == "hunter2"


def test_link_that_leads_to_itself_is_refused(directory):
    (directory / "civitai").symlink_to("civitai")
    assert "cannot be reached" in refused(SecretStore(directory, {}), "civitai")


def test_what_is_no_plain_file_is_refused_at_once(directory):
    os.mkfifo(directory / "pipe", 0o600)
    (directory / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        assert "not a plain file" in refused(SecretStore(directory, {}), name)


@pytest.mark.parametrize("data", [b"", b"\n", b"hunter2\0", b"\xff hunter2", b"hunter2" * MAX_SECRET_BYTES])
def test_what_is_no_text_of_moderate_size_is_refused(directory, data):
    put(directory, "civitai", data)
    refused(SecretStore(directory, {}), "civitai")


def test_policy_limits_actions_and_hosts(directory):
    put(directory, "civitai", "hunter2")
    put(
        directory,
        "civitai.policy.json",
        json.dumps({"actions": ["ssh.*", "http.request"], "hosts": ["*.example.org"]}),
        0o644,
    )
    store = SecretStore(directory, {})
    assert store.get("civitai", action="ssh.setup_civitdl", host="a.example.org") == "hunter2"
    assert store.get("civitai", action="http.request", host="A.EXAMPLE.ORG") == "hunter2"
    assert "action" in refused(store, "civitai", action="shell.command", host="a.example.org")
    assert "host" in refused(store, "civitai", action="ssh.test_ssh", host="example.com")
    assert "host" in refused(store, "civitai", action="ssh.test_ssh", host="a.example.org.evil.net")
    assert "without a host" in refused(store, "civitai", action="ssh.test_ssh")


def test_policy_binds_a_secret_of_the_environment(directory):
    put(directory, "civitai.policy.json", '{"actions": []}')
    assert "action" in refused(SecretStore(directory, {"PERDURE_SECRET_CIVITAI": "hunter2"}), "civitai")


@pytest.mark.parametrize("policy", ["", "[]", "{", '{"action": ["x"]}', '{"hosts": "x"}', "null"])
def test_policy_that_cannot_be_read_closes_the_secret(directory, policy):
    put(directory, "civitai", "hunter2")
    put(directory, "civitai.policy.json", policy)
    assert "policy" in refused(SecretStore(directory, {}), "civitai")


def test_policy_that_others_can_change_closes_the_secret(directory):
    put(directory, "civitai", "hunter2")
    put(directory, "civitai.policy.json", "{}", 0o666)
    assert "changed by others" in refused(SecretStore(directory, {}), "civitai")
