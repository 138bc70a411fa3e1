"""`ssh.setup_civitdl`: install and configure the civitdl command-line tool."""

from __future__ import annotations

import shlex

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import SecretRef
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh.civitdl import WRITE_KEY, CivitdlParams, PackageVersion
from orchestration.actions.ssh.connection import Host, connect
from orchestration.actions.ssh.detached import RemoteCommand, run_detached
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.policy import RETRY

# What pip says of such a Python (PEP 668). Trying again says the same.
MANAGED = "externally-managed-environment"


class SetupCivitdlParams(CivitdlParams):
    """What to install and which key to configure."""

    version: PackageVersion | None = Field(None, description="exact version; unset: the newest the first time")
    upgrade: bool = Field(False, description="take the newest version even if one is installed")
    api_key: SecretRef | None = Field(None, description="secret with the API key")


@action("ssh.setup_civitdl", queue="ssh", idempotent=True, needs_host=True, timeout_s=1800, retry=RETRY)
def setup_civitdl(ctx: ActionContext, params: SetupCivitdlParams) -> Result:
    """Install civitdl with pip and put the API key into its configuration, readable for its user only."""
    memory = StepMemory(ctx)
    key = ctx.secret(params.api_key.secret) if params.api_key else None
    if key is not None and (not key.strip() or not key.strip().isprintable()):
        raise Permanent("the secret with the API key is empty or not a single line of text")
    with connect(ctx) as host:
        ctx.progress(percent=5, message=f"Installing {params.package}")
        installed = run_detached(ctx, host, memory, RemoteCommand("install", _install(params)))
        if installed.status != 0 and MANAGED in installed.output:
            raise Permanent(
                f"the Python of {host.target.address} belongs to its system and takes no packages of users: "
                "give `venv`, such as one that ssh.setup_python_venv makes"
            )
        installed.require("installing civitdl")
        ctx.progress(percent=70, message="Configuring")
        config = _configure(host, params, key.strip()) if key is not None else None
        version = read_facts(host, _version(params)).get("version", "")
    if not version:
        raise Retryable(f"{params.package} was installed, but its version cannot be read")
    ctx.progress(percent=100, message="Ready")
    said = "API key configured" if config else "no API key given"
    details = {"version": version, "api_key_configured": config is not None, "config_path": config}
    return Result(f"civitdl {version} installed, {said}", details)


def _install(params: SetupCivitdlParams) -> str:
    wanted = params.package + (f"=={params.version}" if params.version else "")
    flags = ("" if params.venv else " --user") + (" --upgrade" if params.upgrade else "")
    return f"exec {params.interpreter} -m pip install{flags} {params.pip_arguments()} -- {shlex.quote(wanted)}"


def _configure(host: Host, params: SetupCivitdlParams, key: str) -> str:
    """Let civitdl write its defaults where there are none, then set the key. Answers the file."""
    script = (
        params.shell_setup()
        + "umask 077\n"
        + "command -v civitconfig >/dev/null 2>&1 && civitconfig default </dev/null >/dev/null 2>&1\n"
        + f'exec {params.interpreter} -c {shlex.quote(WRITE_KEY)} "$config"\n'
    )
    done = host.run(script, stdin=key.encode() + b"\n", timeout_s=60)
    if done.status != 0:
        raise Retryable(f"the API key could not be configured: {done.said}")
    return done.stdout.strip().removeprefix("config=")


def _version(params: SetupCivitdlParams) -> str:
    code = "import sys, importlib.metadata as m; print('version=' + m.version(sys.argv[1]))"
    return f"{params.interpreter} -c {shlex.quote(code)} {shlex.quote(params.package)}"
