from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from api.start_body import Defaults, full_name, is_old_form, ssh_of, workflow_of
from orchestration.actions.declaration import ActionDeclaration, ActionParams
from orchestration.errors import InvalidWorkflow

SSH = "ssh -p 2838 root@10.1.2.3"


class Place(ActionParams):
    path: str
    depth: int = 1


class Anything(BaseModel, extra="allow"):
    pass


def declare(name: str, params: type[BaseModel]) -> ActionDeclaration:
    return ActionDeclaration(name=name, function=lambda ctx, params: None, params=params)


ACTIONS = {
    name: declare(name, params)
    for name, params in (("ssh.test_ssh", Anything), ("ssh.sync_instance", Place), ("work", Anything))
}


def read(body: dict[str, Any], **changes: Any) -> Any:
    return workflow_of(body, Defaults(ACTIONS, **changes), {"user_agent": "x"})


@pytest.mark.parametrize(
    ("body", "old"),
    [
        ({"ssh_connection": SSH, "steps": []}, True),
        ({"steps": [{"index": 0, "action": "work"}]}, True),
        ({"steps": [{"key": "a", "action": "work"}], "ssh": SSH}, False),
        ({}, False),
    ],
)
def test_the_old_form_is_known_by_its_fields(body: dict[str, Any], old: bool) -> None:
    assert is_old_form(body) is old


def test_keys_are_made_from_actions_and_are_unique() -> None:
    steps = [
        {"action": "test_ssh"},
        {"action": "ssh.test_ssh"},
        {"action": "work", "key": "test_ssh_2"},
        {"action": "test-ssh"},
    ]
    workflow = read({"ssh_connection": SSH, "steps": steps})
    assert [step.key for step in workflow.steps] == ["test_ssh", "test_ssh_3", "test_ssh_2", "test-ssh"]
    assert {step.action for step in workflow.steps} == {"ssh.test_ssh", "work"}


def test_the_delay_of_the_settings_is_for_old_bodies_with_a_host() -> None:
    step = {"index": 0, "action": "work"}
    assert read({"ssh_connection": SSH, "steps": [step]}, step_delay_s=5).step_delay_s == 5
    assert read({"ssh_connection": SSH, "steps": [step], "step_delay": 2}, step_delay_s=5).step_delay_s == 2
    assert read({"ssh_connection": SSH, "steps": [step], "step_delay": 0}, step_delay_s=5).step_delay_s == 0
    assert read({"steps": [step]}, step_delay_s=5).step_delay_s == 0
    assert read({"steps": [{"key": "a", "action": "work"}], "ssh": SSH}, step_delay_s=5).step_delay_s == 0


def test_the_host_is_the_concurrency_key_unless_the_body_says_otherwise() -> None:
    steps = [{"key": "a", "action": "work"}]
    assert read({"steps": steps, "ssh": SSH}).concurrency_key == "root@10.1.2.3:2838"
    assert read({"steps": steps, "ssh": SSH, "concurrency_key": None}).concurrency_key is None
    assert read({"steps": steps, "ssh": SSH, "concurrency_key": "mine"}).concurrency_key == "mine"
    assert read({"steps": steps}).concurrency_key is None


def test_parameters_come_from_the_step_then_the_template_then_the_settings() -> None:
    template = {"steps": [{"key": "s", "action": "ssh.sync_instance", "params": {"path": "/template"}}]}
    settings = {"sync_instance": {"path": "/settings", "depth": 3}}
    sources = {"template": template, "parameters": settings}

    def params(step: dict[str, Any], **given: Any) -> Any:
        return read({"steps": [{"key": "a", "action": "sync_instance", **step}]}, **given).steps[0].params

    assert params({}, **sources) == {"path": "/template", "depth": 3}
    assert params({"params": {"path": "/sent"}}, **sources) == {"path": "/sent", "depth": 3}
    assert params({}, parameters=settings) == {"path": "/settings", "depth": 3}


def test_the_second_step_of_an_action_takes_the_second_of_the_template() -> None:
    kept = [{"key": f"k{n}", "action": "ssh.sync_instance", "params": {"path": f"/{n}"}} for n in range(2)]
    steps = [{"action": "sync_instance"}, {"action": "sync_instance"}, {"action": "sync_instance"}]
    workflow = read({"ssh_connection": SSH, "steps": steps}, template={"steps": kept})
    assert [step.params["path"] for step in workflow.steps] == ["/0", "/1", "/1"]


def test_a_disabled_step_may_lack_parameters() -> None:
    steps = [{"action": "work"}, {"action": "sync_instance", "enabled": False}]
    assert len(read({"ssh_connection": SSH, "steps": steps}).steps) == 2


def test_missing_parameters_are_named_for_all_steps() -> None:
    with pytest.raises(InvalidWorkflow, match=r"'a' .* needs path; step 'b' .* needs path") as caught:
        read({"steps": [{"key": key, "action": "sync_instance"} for key in ("a", "b")]})
    assert caught.value.where == "/steps/0/params"


def test_metadata_says_what_the_server_saw() -> None:
    workflow = read({"steps": [{"key": "a", "action": "work"}], "metadata": {"user_agent": "mine", "ticket": 7}})
    assert workflow.metadata == {"user_agent": "x", "ticket": 7}


def test_a_host_as_text_and_as_object_follow_the_same_rules() -> None:
    assert ssh_of({"host": "10.1.2.3", "port": 2838}, where="/ssh") == ssh_of(SSH, where="/ssh")
    assert ssh_of(None, where="/ssh") is None
    with pytest.raises((InvalidWorkflow, ValidationError)):
        ssh_of({"host": "a..b"}, where="/ssh")
    with pytest.raises(ValidationError):
        ssh_of({"host": "h", "proxy": "x"}, where="/ssh")


@pytest.mark.parametrize("name", ["password", "ssh_password", "passphrase", "sshPasswd", "private_key"])
def test_passwords_are_refused_wherever_unknown_fields_are_ignored(name: str) -> None:
    step = {"index": 0, "action": "work"}
    for body in (
        {"ssh_connection": SSH, "steps": [step], name: "x"},
        {"ssh_connection": SSH, "steps": [{**step, name: "x"}]},
    ):
        with pytest.raises(InvalidWorkflow, match="is refused"):
            read(body)


def test_short_names_stand_for_ssh_actions_only() -> None:
    assert full_name("test_ssh", ACTIONS) == full_name("test-ssh", ACTIONS) == "ssh.test_ssh"
    assert full_name("work", ACTIONS) == "work"
    assert full_name("fly", ACTIONS) == "fly"
