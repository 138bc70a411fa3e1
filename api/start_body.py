"""From the body of a start, in the new or the old form, to a workflow. Pure: settings and template are handed in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from orchestration.actions.declaration import ActionDeclaration
from orchestration.actions.ssh.target import parse_target
from orchestration.errors import InvalidWorkflow
from schemas.json import Json, JsonObject
from schemas.workflow import SshTarget, StepSpec, WorkflowSpec

_PASSWORD = re.compile(r"pass(word|phrase|wd)?$|^private_?key$", re.IGNORECASE)
_MAX_KEY = 60


@dataclass(frozen=True)
class Defaults:
    """Where parameters come from that a step leaves out, and how steps of the old form are paced."""

    actions: Mapping[str, ActionDeclaration]
    parameters: Mapping[str, JsonObject] = field(default_factory=dict)
    template: JsonObject | None = None
    step_delay_s: float = 0


def is_old_form(body: JsonObject) -> bool:
    """Whether the body is as clients before this server sent it."""
    return "ssh_connection" in body or any("index" in step for step in body.get("steps") or ())


def workflow_of(body: JsonObject, defaults: Defaults, metadata: JsonObject) -> WorkflowSpec:
    """The workflow that a body asks for.

    Raises: InvalidWorkflow with the place and the mend; ValidationError for a field of a wrong type.
    """
    refuse_passwords(body)
    old = is_old_form(body)
    document = {name: value for name, value in body.items() if name not in ("workflow_id", "ssh", "ssh_connection")}
    if not body.get("steps"):
        document = {**_of_template(defaults.template), **{k: v for k, v in document.items() if k != "steps"}}
    document |= _delay(document.pop("step_delay", None), body, defaults)
    if old:
        document = {name: value for name, value in document.items() if name in WorkflowSpec.model_fields}
        document["steps"] = _old_steps(document["steps"])
    document["steps"] = [_named(step, defaults.actions) for step in document["steps"]]
    document["steps"] = filled_steps(document["steps"], defaults)
    document["metadata"] = {**body.get("metadata", {}), **metadata}
    where = "ssh_connection" if "ssh_connection" in body else "ssh"
    target = ssh_of(body.get(where), where=f"/{where}")
    if target is not None:
        document["ssh"] = target.model_dump()
        document.setdefault("concurrency_key", target.address)
    workflow = WorkflowSpec.model_validate(document)
    check_missing(workflow.steps, defaults.actions)
    return workflow


def ssh_of(given: Json, *, where: str) -> SshTarget | None:
    """The host that was given as a text or as an object. Raises: InvalidWorkflow, ValidationError."""
    if given is None:
        return None
    if isinstance(given, str):
        return parse_target(given, where=where)
    # Read as a text too, so that both forms follow the same rules.
    target = SshTarget.model_validate(given)
    key = f" -i {target.key}" if target.key else ""
    return parse_target(f"ssh -p {target.port}{key} {target.user}@{target.host}", where=where)


def refuse_passwords(body: JsonObject) -> None:
    """Nothing that looks like a password may come with a host, also where unknown fields are ignored."""
    places: list[tuple[str, Json]] = [
        ("", body),
        ("/ssh", body.get("ssh")),
        ("/ssh_connection", body.get("ssh_connection")),
    ]
    places += [(f"/steps/{index}", step) for index, step in enumerate(body.get("steps") or ())]
    for place, value in places:
        for name in value if isinstance(value, Mapping) else ():
            if _PASSWORD.search(name):
                raise InvalidWorkflow(
                    f"{name!r} is refused: no password or private key is taken or stored",
                    where=f"{place}/{name}",
                    mend="put the key into PERDURE_SSH_KEYS_DIR and name it as the connection's key",
                )


def full_name(action: str, actions: Mapping[str, ActionDeclaration]) -> str:
    """The action's own name; `test_ssh` and `test-ssh` stand for `ssh.test_ssh`."""
    if action in actions:
        return action
    long = "ssh." + action.replace("-", "_")
    return long if long in actions else action


def filled_steps(steps: Sequence[JsonObject], defaults: Defaults) -> list[JsonObject]:
    """The steps with parameters they leave out: from the template's step of the same action, else from the settings."""
    by_action: dict[str, list[JsonObject]] = {}
    for step in (defaults.template or {}).get("steps", ()):
        by_action.setdefault(step["action"], []).append(step.get("params", {}))
    general = {full_name(action, defaults.actions): given for action, given in defaults.parameters.items()}
    filled = []
    for step in steps:
        action, params = str(step.get("action")), step.get("params", {})
        own = by_action.get(action, [])
        # The second step of an action gets what the template's second one has.
        kept = own.pop(0) if len(own) > 1 else own[0] if own else {}
        base = {**general.get(action, {}), **kept}
        filled.append({**step, "params": {**base, **params}} if base and isinstance(params, dict) else step)
    return filled


def check_missing(steps: Iterable[StepSpec], actions: Mapping[str, ActionDeclaration]) -> None:
    """Name every parameter that is needed and missing, of all steps at once. Raises: InvalidWorkflow."""
    found: list[tuple[int, str]] = []
    for index, step in enumerate(steps):
        declared = actions.get(step.action)
        missing = _missing(declared, step.params) if declared is not None and step.enabled else []
        if missing:
            found.append((index, f"step {step.key!r} ({step.action}) needs {', '.join(missing)}"))
    if found:
        raise InvalidWorkflow(
            "parameters are missing: " + "; ".join(text for _, text in found[:20]),
            where=f"/steps/{found[0][0]}/params",
            mend="send them, keep them in the template, or set them under actions: in the configuration file",
        )


def _missing(declared: ActionDeclaration, params: JsonObject) -> list[str]:
    try:
        declared.params.model_validate(params)
    except ValidationError as error:
        return [str(e["loc"][0]) for e in error.errors() if e["type"] == "missing" and len(e["loc"]) == 1]
    return []


def _of_template(template: JsonObject | None) -> JsonObject:
    if template is None:
        raise InvalidWorkflow("no steps are given", where="/steps", mend="give steps, or the template_id of a template")
    return template


def _delay(given: Json, body: JsonObject, defaults: Defaults) -> JsonObject:
    if given is not None:
        return {"step_delay_s": given}
    # Only clients of the old form that name a host count on a pause between steps.
    return {"step_delay_s": defaults.step_delay_s} if "ssh_connection" in body and "step_delay_s" not in body else {}


def _old_steps(steps: Sequence[JsonObject]) -> list[JsonObject]:
    """Known fields only, with keys made from the actions' names."""
    used = {step["key"] for step in steps if isinstance(step.get("key"), str)}
    read = []
    for index, step in enumerate(steps):
        known = {name: value for name, value in step.items() if name in StepSpec.model_fields and value is not None}
        if "action" not in known:
            raise InvalidWorkflow(f"step {index} has no action", where=f"/steps/{index}/action", mend="add the field")
        if "key" not in known:
            known["key"] = _free_key(str(known["action"]), used)
        read.append(known)
    return read


def _free_key(action: str, used: set[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", action.rpartition(".")[2])[:_MAX_KEY].lstrip("_-") or "step"
    key, number = stem, 1
    while key in used:
        number += 1
        key = f"{stem}_{number}"
    used.add(key)
    return key


def _named(step: JsonObject, actions: Mapping[str, ActionDeclaration]) -> JsonObject:
    action = step.get("action")
    return {**step, "action": full_name(action, actions)} if isinstance(action, str) else step
