"""`ssh.setup_python_venv`: a virtual environment on the host."""

from __future__ import annotations

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Result
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.detached import RemoteCommand, run_detached
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.pip_options import PipOptions, python_of
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import Plain, Program, RemotePath, quote_path, quote_program, quote_words


class VenvParams(PipOptions):
    """Where the environment lies and what goes into it."""

    path: RemotePath = Field("~/venv", description="directory of the virtual environment")
    python: Program = Field("python3", description="interpreter to make it with")
    system_site_packages: bool = False
    packages: list[Plain] = Field(default_factory=list, max_length=200, description="requirements to install")


@action("ssh.setup_python_venv", queue="ssh", idempotent=True, needs_host=True, timeout_s=1800, retry=RETRY)
def setup_python_venv(ctx: ActionContext, params: VenvParams) -> Result:
    """Make a virtual environment, or use the one that is there, and install packages into it."""
    memory = StepMemory(ctx)
    inside = python_of(params.path, params.python)
    flags = " --system-site-packages" if params.system_site_packages else ""
    script = (
        "set -eu\n"
        f"if {inside} -m pip --version >/dev/null 2>&1; then echo 'the environment is there'; exit 0; fi\n"
        f"{quote_program(params.python)} -m venv{flags} {quote_path(params.path)}\n"
    )
    with connect(ctx) as host:
        ctx.progress(percent=5, message="Creating the virtual environment")
        made = run_detached(ctx, host, memory, RemoteCommand("venv", script)).require("making the environment")
        if params.packages:
            ctx.progress(percent=50, message=f"Installing {len(params.packages)} packages")
            install = f"exec {inside} -m pip install {params.pip_arguments()} -- {quote_words(params.packages)}"
            run_detached(ctx, host, memory, RemoteCommand("packages", install)).require("installing packages")
        facts = read_facts(
            host,
            f'echo "version=$({inside} -c \'import sys; print("%d.%d.%d" % sys.version_info[:3])\')"\n'
            f'cd {quote_path(params.path)} && echo "path=$(pwd)"',
        )
    ctx.progress(percent=100, message="Ready")
    details = {"path": facts["path"], "python": facts["version"], "created": "is there" not in made.output}
    return Result(f"Virtual environment with Python {facts['version']} at {facts['path']}", details)
