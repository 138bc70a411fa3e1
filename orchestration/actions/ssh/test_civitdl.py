"""`ssh.test_civitdl`: is civitdl installed, configured and, if asked for, let in by its service."""

from __future__ import annotations

import shlex

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh.civitdl import ASK_SERVICE, READ_CONFIG, ApiUrl, CivitdlParams
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.policy import RETRY


class TestCivitdlParams(CivitdlParams):
    """What is checked."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    require_key: bool = Field(True, description="fail when no API key is configured")
    check_api: bool = Field(False, description="call the service with the configured key")
    api_url: ApiUrl = Field("https://civitai.com/api/v1/models?limit=1", description="what is called")


@action("ssh.test_civitdl", queue="ssh", idempotent=True, needs_host=True, timeout_s=300, retry=RETRY)
def test_civitdl(ctx: ActionContext, params: TestCivitdlParams) -> Result:
    """Check civitdl's version and configuration; the service is called only with `check_api: true`."""
    script = (
        params.shell_setup()
        + f"version=$({params.command} --version 2>/dev/null) || version=\n"
        + 'echo "version=$version"\n'
        + f'{params.interpreter} -c {shlex.quote(READ_CONFIG)} "$config"\n'
    )
    ctx.progress(message="Checking civitdl")
    with connect(ctx) as host:
        facts = read_facts(host, script)
        version = facts.get("version", "").split()[-1:]
        if not version:
            raise Permanent(f"{params.command} does not run on the host; run ssh.setup_civitdl first")
        configured = facts.get("configured") == "yes"
        if not configured and params.require_key:
            raise Permanent(
                "civitdl has no API key; run ssh.setup_civitdl with `api_key`", details={"version": version[0]}
            )
        answered = None
        if params.check_api and configured:
            ctx.progress(message="Calling the service")
            ask = params.shell_setup() + f'{params.interpreter} -c {shlex.quote(ASK_SERVICE)} "$config" "$2"\n'
            answered = _judged(read_facts(host, ask, [params.api_url]))
    details = {
        "version": version[0].removeprefix("v"),
        "api_key_configured": configured,
        "config_private": facts.get("private") == "yes",
        "api_status": answered,
    }
    said = "API key configured" if configured else "no API key"
    return Result(f"civitdl {details['version']}, {said}" + (", service answers" if answered else ""), details)


def _judged(facts: dict[str, str]) -> int:
    if "status" not in facts:
        raise Retryable(f"the service cannot be reached from the host ({facts.get('problem', 'no answer')})")
    status = int(facts["status"])
    if status in (401, 403):
        raise Permanent(f"the service refused the API key (status {status})")
    if status == 429 or status >= 500:
        raise Retryable(f"the service answered with status {status}")
    if not 200 <= status < 300:
        raise Permanent(f"the service answered with status {status}; check `api_url`")
    return status
