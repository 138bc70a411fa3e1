"""What the SSH actions let in, and what becomes of it on a command line."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from orchestration.actions.outcomes import Permanent
from orchestration.actions.registry import load_actions
from orchestration.actions.ssh import SHORT_NAMES
from orchestration.actions.ssh.command import CommandParams
from orchestration.actions.ssh.custom_node import CustomNode
from orchestration.actions.ssh.install_custom_nodes import CustomNodesParams
from orchestration.actions.ssh.pip_options import PipOptions
from orchestration.actions.ssh.quoting import quote_path, quote_words
from orchestration.actions.ssh.set_ui_home import SetUiHomeParams
from orchestration.actions.ssh.setup_civitdl import SetupCivitdlParams
from orchestration.actions.ssh.setup_python_venv import VenvParams
from orchestration.actions.ssh.sync_instance import SyncParams
from orchestration.actions.ssh.test_civitdl import TestCivitdlParams

NODE = {"name": "a", "url": "https://example.org/a.git"}


def test_all_actions_are_declared_alike():
    declared = {name: action for name, action in load_actions().items() if name.startswith("ssh.")}
    assert set(SHORT_NAMES.values()) | {"ssh.command"} == set(declared)
    for action in declared.values():
        assert action.idempotent
        assert action.needs_host
        assert action.queue == "ssh"
        assert action.summary


def test_declarations_load_without_the_ssh_library():
    code = "import sys, orchestration.actions.ssh; print('paramiko' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (CommandParams, {}),
        (CommandParams, {"argv": ["ls"], "script": "ls"}),
        (CommandParams, {"argv": ["-x"]}),
        (CommandParams, {"argv": []}),
        (CommandParams, {"argv": ["ls\x00"]}),
        (CommandParams, {"script": "echo {{ params.name }}"}),
        (CommandParams, {"script": "ls", "env": {"A=B": "x"}}),
        (CommandParams, {"script": "ls", "env": {"A;id": "x"}}),
        (CommandParams, {"argv": ["ls"], "cwd": "-x"}),
        (CommandParams, {"argv": ["ls"], "stdin": "plain text"}),
        (VenvParams, {"path": "--help"}),
        (VenvParams, {"packages": ["-rfile"]}),
        (VenvParams, {"path": "~other/venv"}),
        (VenvParams, {"path": "a\nb"}),
        (PipOptions, {"index_url": "--extra-index-url=x"}),
        (PipOptions, {"index_url": "https://user:word@example.org/simple"}),
        (SetupCivitdlParams, {"package": "-e."}),
        (SetupCivitdlParams, {"package": "civitdl; id"}),
        (SetupCivitdlParams, {"version": "1 --pre"}),
        (SetupCivitdlParams, {"api_key": "a key in the open"}),
        (TestCivitdlParams, {"command": "civitdl; id"}),
        (TestCivitdlParams, {"api_url": "http://example.org/"}),
        (SetUiHomeParams, {"variable": "A B"}),
        (SyncParams, {"local": "-x", "remote": "x"}),
        (SyncParams, {"local": "x", "remote": "/"}),
        (CustomNodesParams, {"nodes": []}),
        (CustomNodesParams, {"nodes": [NODE, {**NODE, "name": "A"}]}),
        (CustomNodesParams, {"nodes": [{**NODE, "name": "../x"}]}),
        (CustomNodesParams, {"nodes": [{**NODE, "name": "-x"}]}),
        (CustomNodesParams, {"nodes": [{**NODE, "url": "--upload-pack=id"}]}),
        (CustomNodesParams, {"nodes": [{**NODE, "ref": "--orphan"}]}),
        (CustomNodesParams, {"nodes": [{**NODE, "ref": "a..b"}]}),
        (CustomNodesParams, {"nodes": [NODE], "max_parallel": 0}),
        (CustomNodesParams, {"nodes": [NODE], "unknown": 1}),
    ],
)
def test_what_could_be_read_as_an_option_or_code_is_refused(model: type[BaseModel], params: dict[str, Any]):
    with pytest.raises(ValidationError):
        model.model_validate(params)


def test_a_reference_in_a_script_is_a_fault_of_the_whole_so_that_it_is_refused_at_the_start():
    with pytest.raises(ValidationError) as refused:
        CommandParams.model_validate({"script": "echo {{ params.name }}"})
    assert refused.value.errors()[0]["loc"] == ()


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.org/a.git", True),
        ("ssh://git@example.org/a.git", True),
        ("git@example.org:group/a.git", True),
        ("http://example.org/a.git", False),
        ("file:///srv/a.git", False),
        ("ext::sh -c id", False),
        ("/srv/a.git", False),
        ("a.git", False),
        ("https://user:word@example.org/a.git", False),
    ],
)
def test_only_allowed_schemes_are_cloned(url: str, allowed: bool):
    node = CustomNode(name="a", url=url)
    if allowed:
        node.check_url(("https", "ssh"))
    else:
        with pytest.raises(Permanent):
            node.check_url(("https", "ssh"))


def test_another_scheme_can_be_allowed():
    CustomNode(name="a", url="file:///srv/a.git").check_url(("https", "ssh", "file"))


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), max_size=5))
@settings(max_examples=40, deadline=None)
def test_each_value_stays_one_word_in_a_shell(words: list[str]):
    script = f"printf '%s\\0' start {quote_words(words)}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode("utf-8").split("\0")[1:-1] == words


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~", "/h o"),
        ("~/a b", "/h o/a b"),
        ("x/$(id)", "/h o/x/$(id)"),
        ("/abs/'q'", "/abs/'q'"),
        ("~/*", "/h o/*"),
    ],
)
def test_a_path_starts_at_home_and_nothing_in_it_is_expanded(path: str, expected: str):
    done = subprocess.run(
        ["sh", "-c", f"printf %s {quote_path(path)}"], env={"HOME": "/h o"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == expected
    assert len(shlex.split(quote_path(path))) == 1
