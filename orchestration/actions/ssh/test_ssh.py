"""`ssh.test_ssh`: does the host answer, and who is it."""

from __future__ import annotations

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import NoParams
from orchestration.actions.outcomes import Result
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.policy import RETRY

_SCRIPT = r"""
echo "hostname=$(hostname 2>/dev/null || uname -n)"
echo "system=$(uname -sr)"
echo "user=$(id -un)"
if [ -r /proc/uptime ]; then read -r seconds rest < /proc/uptime; echo "uptime_s=${seconds%.*}"; fi
echo "uptime=$(uptime 2>/dev/null)"
"""


@action("ssh.test_ssh", queue="ssh", idempotent=True, needs_host=True, timeout_s=120, retry=RETRY)
def test_ssh(ctx: ActionContext, params: NoParams) -> Result:
    """Sign in to the host and read its name and how long it is up."""
    ctx.progress(message="Connecting")
    with connect(ctx) as host:
        facts = read_facts(host, _SCRIPT, timeout_s=30)
    details = {name: facts.get(name, "") for name in ("hostname", "system", "user")}
    seconds = facts.get("uptime_s", "")
    uptime = _words(int(seconds)) if seconds.isdigit() else facts.get("uptime", "unknown") or "unknown"
    return Result(f"Connected to {details['hostname']} as {details['user']}", {**details, "uptime": uptime})


def _words(seconds: int) -> str:
    """`93784` as `1 day 2:03`."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600}:{rest % 3600 // 60:02d}"
    return f"{days} day{'s' if days != 1 else ''} {clock}" if days else clock
