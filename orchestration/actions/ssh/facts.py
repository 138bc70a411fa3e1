"""Scripts that report facts as `name=value` lines."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.actions.outcomes import Retryable
from orchestration.actions.ssh.connection import Host


def read_facts(host: Host, script: str, args: Sequence[str] = (), *, timeout_s: float = 60) -> dict[str, str]:
    """Run a short script and read the `name=value` lines it prints; other lines are ignored.

    Raises: Retryable when the script fails or the link is lost.
    """
    done = host.run(script, args, timeout_s=timeout_s)
    if done.status != 0:
        raise Retryable(f"{host.target.address}: a check on the host failed with status {done.status}: {done.said}")
    facts = {}
    for line in done.stdout.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.isidentifier():
            facts[name] = value.strip()
    return facts
