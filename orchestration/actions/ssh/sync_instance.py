"""`ssh.sync_instance`: copy a directory to the host, or from it."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh import sync_rsync, sync_sftp
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.local_side import local_path
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import Plain, RemotePath, quote_path

SAY_EVERY_S = 0.2


def _not_root(path: str) -> str:
    if not path.strip("/"):
        raise ValueError("must not be the root directory")
    return path


class SyncParams(ActionParams):
    """Which directories. Files that are only on the target side are left alone."""

    direction: Literal["push", "pull"] = "push"
    local: Plain = Field(description="file or directory inside PERDURE_SYNC_ROOT, relative to it")
    remote: Annotated[RemotePath, AfterValidator(_not_root)] = Field(description="directory on the host")
    method: Literal["auto", "rsync", "sftp"] = Field("auto", description="auto: rsync where both sides have it")


@action("ssh.sync_instance", queue="ssh", idempotent=True, needs_host=True, timeout_s=14_400, retry=RETRY)
def sync_instance(ctx: ActionContext, params: SyncParams) -> Result:
    """Copy what is new or changed to the host (push) or from it (pull), by rsync or SFTP."""
    local = local_path(ctx, params.local)
    pushing = params.direction == "push"
    if pushing and not local.exists():
        raise Permanent(f"{params.local!r} does not exist in the directory that may be synced (PERDURE_SYNC_ROOT)")
    remote = "." if params.remote in ("~", "~/") else params.remote.removeprefix("~/")
    said = _Percent(ctx, "Copying to the host" if pushing else "Copying from the host")
    with connect(ctx) as host:
        said.percent(0)
        rsync = params.method != "sftp" and sync_rsync.is_possible(host)
        if params.method == "rsync" and not rsync:
            raise Permanent("rsync 3 and the OpenSSH client are needed on both sides; use method 'sftp'")
        if rsync:
            if pushing:
                made = host.run(f"mkdir -p {quote_path(params.remote)}")
                if made.status != 0:
                    raise Retryable(f"{params.remote} cannot be made on the host: {made.said}")
            copied, files = sync_rsync.copy(
                ctx, host, push=pushing, local=local, remote=remote, report=lambda percent: said.percent(percent)
            )
        elif pushing:
            copied, files = sync_sftp.push(ctx, host, local, remote, said.bytes)
        else:
            copied, files = sync_sftp.pull(ctx, host, remote, local, said.bytes)
    said.percent(100, last=True)
    method = "rsync" if rsync else "sftp"
    return Result(
        f"{copied} of {files} files copied by {method}, the rest was up to date",
        {"files": files, "copied": copied, "method": method, "direction": params.direction},
    )


class _Percent:
    """Progress, said at most five times a second."""

    def __init__(self, ctx: ActionContext, message: str) -> None:
        self._ctx, self._message, self._next = ctx, message, 0.0

    def percent(self, percent: float, *, last: bool = False) -> None:
        if last or time.monotonic() >= self._next:
            self._next = time.monotonic() + SAY_EVERY_S
            self._ctx.progress(percent=round(percent, 1), message=self._message)

    def bytes(self, done: int, total: int) -> None:
        self.percent(100 * done / total if total else 100)
