"""`ssh.verify_dependencies`: has the host what the work needs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, Result
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import RemotePath, quote_path

CommandName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$")]


class DependencyParams(ActionParams):
    """What must be there."""

    commands: list[CommandName] = Field(["python3", "git"], max_length=50, description="programs that must be in PATH")
    python: CommandName = "python3"
    min_python: str = Field("3.8", pattern=r"^[0-9]{1,2}\.[0-9]{1,2}$")
    min_disk_gb: float = Field(1.0, ge=0, le=1_000_000, description="free space at `path`, GB")
    path: RemotePath = "~"
    gpu: Literal["required", "optional"] = "optional"


# The path need not exist yet: its nearest existing parent tells the free space.
_SCRIPT = r"""
path=@PATH@
while [ ! -e "$path" ] && [ "$path" != / ] && [ "$path" != . ]; do path=$(dirname "$path"); done
echo "disk_kb=$(df -Pk "$path" | awk 'NR == 2 { print $4 }')"
echo "python_version=$(@PYTHON@ -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)"
echo "git_version=$(git --version 2>/dev/null | awk '{ print $3 }')"
if command -v nvidia-smi >/dev/null 2>&1; then
  echo "gpu=$(nvidia-smi --query-gpu=name,memory.total --format=csv,noheader 2>/dev/null | tr '\n' ';')"
fi
missing=
for name in @COMMANDS@; do command -v "$name" >/dev/null 2>&1 || missing="$missing $name"; done
echo "missing=$missing"
"""


@action("ssh.verify_dependencies", queue="ssh", idempotent=True, needs_host=True, timeout_s=300, retry=RETRY)
def verify_dependencies(ctx: ActionContext, params: DependencyParams) -> Result:
    """Check programs, Python's version, free disk space and the GPU; what is missing fails the step at once."""
    ctx.progress(message="Checking the host")
    script = _SCRIPT.replace("@PATH@", quote_path(params.path)).replace("@PYTHON@", params.python)
    with connect(ctx) as host:
        facts = read_facts(host, script.replace("@COMMANDS@", " ".join(params.commands)))
    missing = facts.get("missing", "").split()
    problems = [f"{name} is not installed" for name in missing]
    found = facts.get("python_version", "")
    if not found and params.python not in missing:
        problems.append(f"{params.python} does not run")
    elif found and _version(found) < _version(params.min_python):
        problems.append(f"Python {found} is older than {params.min_python}")
    disk_gb = round(int(facts.get("disk_kb") or 0) * 1024 / 1e9, 1)
    if disk_gb < params.min_disk_gb:
        problems.append(f"{disk_gb:g} GB are free at {params.path}, {params.min_disk_gb:g} GB are needed")
    gpus = [name.strip() for name in facts.get("gpu", "").split(";") if name.strip()]
    if params.gpu == "required" and not gpus:
        problems.append("no GPU was found (nvidia-smi)")
    details = {
        "python": found or None,
        "git": facts.get("git_version") or None,
        "disk_free_gb": disk_gb,
        "gpus": gpus,
        "missing": problems,
    }
    if problems:
        raise Permanent("missing on the host: " + "; ".join(problems), details=details)
    return Result(f"All dependencies are there; {disk_gb:g} GB free, {len(gpus) or 'no'} GPU", details)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", text)[:2])
