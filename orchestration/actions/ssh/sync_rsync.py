"""Copying directories with rsync over the OpenSSH client, where both sides have them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Retryable
from orchestration.actions.ssh.connection import Host, key_path
from orchestration.actions.ssh.hostkeys import host_name

_PERCENT = re.compile(rb"\s(\d{1,3})%")
_FILES = re.compile(r"Number of regular files transferred: ([\d,.]+)")
_SENT = re.compile(r"Total bytes sent: ([\d,.]+)")
_RECEIVED = re.compile(r"Total bytes received: ([\d,.]+)")
_ALL_FILES = re.compile(r"Number of files: [\d,.]+ \(reg: ([\d,.]+)")


def is_possible(host: Host) -> bool:
    """Whether both sides have rsync 3, and this one the OpenSSH client."""
    rsync = shutil.which("rsync")
    if rsync is None or shutil.which("ssh") is None:
        return False
    here = subprocess.run([rsync, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return "version 3" in here.stdout and "version 3" in host.run("rsync --version 2>/dev/null; exit 0").stdout


def copy(
    ctx: ActionContext, host: Host, *, push: bool, local: Path, remote: str, report: Callable[[float], None]
) -> tuple[int, int]:
    """Copy in one direction. Answers how many files were copied and how many were looked at.

    Raises: Retryable when rsync fails; what it has copied stays.
    """
    target = host.target
    place = remote if remote.startswith("/") else f"./{remote}"
    there = f"{target.user}@{target.host}:{place.rstrip('/') or '/'}/"
    here = f"{local}/" if local.is_dir() or not push else str(local)
    if not push:
        local.mkdir(parents=True, exist_ok=True)
    words = ["rsync", "-rt", "--partial-dir=.perdure-partial", "--no-inc-recursive", "--info=progress2,stats2", "-s"]
    words += ["--timeout=60", "-e", _remote_shell(ctx, host), "--", *((here, there) if push else (there, here))]
    ctx.raise_if_cancelled()
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        start_new_session=True,
    )

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)

    ctx.on_cancel(end)
    try:
        said = _follow(process, report)
    finally:
        ctx.token.remove_closer(end)
        if process.poll() is None:
            end()
        process.wait()
    ctx.raise_if_cancelled()
    if process.returncode != 0:
        raise Retryable(f"rsync ended with status {process.returncode}: {said.strip()[-500:]}")
    # By its own account; the connection is that of a program, of which nothing is known once it has ended.
    ctx.count_network(sent=_number(_SENT, said), received=_number(_RECEIVED, said))
    return _number(_FILES, said), _number(_ALL_FILES, said)


def _follow(process: subprocess.Popen[bytes], report: Callable[[float], None]) -> str:
    """Read rsync's output, passing its percentages on. Answers the last of it."""
    if process.stdout is None:
        raise RuntimeError("rsync was started without a pipe")
    said = b""
    while data := os.read(process.stdout.fileno(), 4096):
        for found in _PERCENT.findall(data):
            report(min(100.0, float(found)))
        said = (said + data)[-8192:]
    return said.decode("utf-8", "replace")


def _remote_shell(ctx: ActionContext, host: Host) -> str:
    """The ssh command line: no configuration file, no agent, only the pinned host key and the run's own key."""
    target = host.target
    options = {
        "UserKnownHostsFile": f'"{ctx.settings["known_hosts"]}"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": host_name(target.host, target.port),
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "15",
        "LogLevel": "ERROR",
    }
    words = ["ssh", "-F", "/dev/null", "-p", str(target.port), "-i", str(key_path(ctx, target))]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return shlex.join(words)


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(re.sub(r"[,.]", "", found.group(1))) if found else 0
