"""`ssh.set_ui_home`: where the UI lies on the host, kept in the profile."""

from __future__ import annotations

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Result
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import RemotePath, quote_path
from orchestration.actions.ssh.ui_home import VariableParams, write_script


class SetUiHomeParams(VariableParams):
    """The value and where it is kept."""

    path: RemotePath = Field("~/ComfyUI", description="directory of the UI")
    create: bool = Field(False, description="make the directory when it is missing; otherwise that fails the step")


@action("ssh.set_ui_home", queue="ssh", idempotent=True, needs_host=True, timeout_s=120, retry=RETRY)
def set_ui_home(ctx: ActionContext, params: SetUiHomeParams) -> Result:
    """Set UI_HOME for every later sign-in; setting it again replaces it."""
    path = quote_path(params.path)
    make = f"mkdir -p {path} || exit 1\n" if params.create else ""
    check = f'{make}if [ -d {path} ]; then cd {path} && echo "path=$(pwd)"; else echo path=; fi'
    with connect(ctx) as host:
        place = read_facts(host, check).get("path", "")
        if not place:
            raise Permanent(f"{params.path} is not a directory on the host; make it first, or give 'create: true'")
        facts = read_facts(host, write_script(params), [params.variable, place])
    changed = facts.get("changed") == "yes"
    return Result(
        f"{params.variable} is {place}" + ("" if changed else " already"),
        {"ui_home": place, "variable": params.variable, "profile": params.profile, "changed": changed},
    )
