"""`ssh.get_ui_home`: where the UI lies on the host."""

from __future__ import annotations

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Result
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.ui_home import VariableParams, read_script


class GetUiHomeParams(VariableParams):
    """Which variable is read."""

    required: bool = Field(True, description="fail the step when it is not set")


@action("ssh.get_ui_home", queue="ssh", idempotent=True, needs_host=True, timeout_s=120, retry=RETRY)
def get_ui_home(ctx: ActionContext, params: GetUiHomeParams) -> Result:
    """Read UI_HOME as `ssh.set_ui_home` left it."""
    with connect(ctx) as host:
        facts = read_facts(host, read_script(params), [params.variable])
    value = facts.get("value") if facts.get("set") == "yes" else None
    if value is None and params.required:
        raise Permanent(f"{params.variable} is not set in {params.profile}; run ssh.set_ui_home first")
    return Result(
        f"{params.variable} is {value}" if value else f"{params.variable} is not set",
        {"ui_home": value, "variable": params.variable, "exists": facts.get("exists") == "yes"},
    )
