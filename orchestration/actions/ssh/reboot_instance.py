"""`ssh.reboot_instance`: reboot the host and wait until it is back."""

from __future__ import annotations

import time

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import Host, KeyRefused, connect
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import Argv, quote_words

SEND_AGAIN_S = 60.0  # a host that still answers with the old boot id after this long did not take the command


class RebootParams(ActionParams):
    """How the host is rebooted, and how a reboot is recognised."""

    reboot_command: Argv = Field(["reboot"], description="command that reboots the host")
    boot_id_command: Argv = Field(
        ["cat", "/proc/sys/kernel/random/boot_id"],
        description="prints something that changes with every boot; on macOS: sysctl -n kern.boottime",
    )
    wait_s: float = Field(600, gt=0, le=7200, description="how long to wait for the host, seconds")
    poll_s: float = Field(2.0, ge=0.05, le=60, description="pause between looks, seconds")


@action("ssh.reboot_instance", queue="ssh", idempotent=True, needs_host=True, timeout_s=7500, retry=RETRY)
def reboot_instance(ctx: ActionContext, params: RebootParams) -> Result:
    """Reboot the host and wait until it answers with another boot id. Later attempts wait for the same reboot."""
    memory = StepMemory(ctx)
    began = time.monotonic()
    old = memory.get("boot_id")
    if not isinstance(old, str):
        with connect(ctx) as host:
            old = _boot_id(host, params)
            memory.put("boot_id", old)
    if not memory.get("sent"):
        _send(ctx, params, memory, old)
    sent_at = time.monotonic()
    ctx.progress(message="Waiting for the host to come back")
    while time.monotonic() - began < params.wait_s:
        new = _look(ctx, params)
        if new is not None and new != old:
            seconds = round(time.monotonic() - began, 1)
            return Result(f"The host is back after {seconds:g} s", {"boot_id": new, "seconds": seconds})
        if new == old and time.monotonic() - sent_at > SEND_AGAIN_S:
            _send(ctx, params, memory, old)
            sent_at = time.monotonic()
        if ctx.cancelled.wait(params.poll_s):
            ctx.raise_if_cancelled()
    raise Retryable(f"the host did not come back within {params.wait_s:g} s")


def _send(ctx: ActionContext, params: RebootParams, memory: StepMemory, old: str) -> None:
    """Tell the host to reboot, unless it has. Losing the link on the way is what success looks like."""
    ctx.progress(message="Rebooting")
    with connect(ctx) as host:
        if _boot_id(host, params) == old:
            try:
                done = host.run(f"exec {quote_words(params.reboot_command)}", timeout_s=30)
            except Retryable:
                ctx.raise_if_cancelled()
            else:
                # A host that goes down may end the command by a signal; a refusal is any other status.
                if 0 < done.status < 128:
                    raise Permanent(f"the reboot command ended with status {done.status}: {done.said}")
    memory.put("sent", True)


def _look(ctx: ActionContext, params: RebootParams) -> str | None:
    """The host's boot id, None while it does not answer."""
    try:
        with connect(ctx) as host:
            try:
                return _boot_id(host, params)
            except Permanent:  # half up or half down
                return None
    except (Retryable, KeyRefused):  # a host on its way up or down lets nobody in for a while
        return None


def _boot_id(host: Host, params: RebootParams) -> str:
    done = host.run(f"exec {quote_words(params.boot_id_command)}", timeout_s=15)
    text = done.stdout.strip()
    if done.status != 0 or not text:
        raise Permanent(f"the boot id cannot be read ({done.said or 'no output'}); set `boot_id_command`")
    return text[:500]
