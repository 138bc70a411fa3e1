"""`shell.command`: runs a program on the worker's own machine. Off unless a setting turns it on; for admins."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Any

from pydantic import Field, field_validator

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams, SecretRef
from orchestration.actions.outcomes import Permanent
from orchestration.actions.registry import action
from schemas.statuses import Role

GRACE_S = 2.0
MAX_KEPT_CHARS = 64 * 1024
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_POLL_S = 0.1
# How long output is still read after the program ended while something it started holds the pipe open.
_LINGER_S = 1.0
# The lifeline: when the worker dies, however it dies, the pipe closes and the whole group goes.
_GUARD = 'read -r word; [ "$word" = done ] || { kill -TERM "-$1"; sleep 2; kill -KILL "-$1"; }'


class ShellParams(ActionParams):
    """The program and its surroundings."""

    argv: list[str] = Field(min_length=1, max_length=1000, description="program and arguments; no shell reads them")
    cwd: str | None = Field(None, max_length=4096, description="unset: an empty directory that is removed afterwards")
    env: dict[str, str] = Field(default_factory=dict, max_length=200, description="added to PATH, HOME and LANG")
    input: str | SecretRef | None = Field(None, description="given on standard input")
    success_codes: list[int] = Field(default_factory=lambda: [0], max_length=256)

    @field_validator("argv")
    @classmethod
    def _argv_can_be_passed(cls, argv: list[str]) -> list[str]:
        if not argv[0] or any("\0" in word for word in argv):
            raise ValueError("the program must be named, and no word may hold a NUL")
        return argv

    @field_validator("env")
    @classmethod
    def _env_can_be_passed(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not name or "=" in name or "\0" in name or "\0" in value:
                raise ValueError(f"{name[:50]!r} cannot be an environment variable")
        return env


@action("shell.command", killable=True, role=Role.ADMIN)
def command(ctx: ActionContext, params: ShellParams) -> dict[str, Any]:
    """Run a program, its output going to the step's log; stopping kills it and all it started.

    Answers `exit_code` and the last 64 KiB of `stdout` and `stderr`. Another exit code than `success_codes` fails the
    step for good: whether a program may run twice only its author knows.
    """
    if not ctx.settings.get("shell_command_enabled"):
        raise Permanent("shell.command is off; PERDURE_SHELL_COMMAND_ENABLED=1 turns it on")
    with contextlib.ExitStack() as stack:
        cwd = params.cwd or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="perdure-", ignore_cleanup_errors=True)
        )
        process = stack.enter_context(_started(ctx, params, cwd))
        outputs = _stream(ctx, process)
    result = {"exit_code": process.returncode, "stdout": outputs[0].last(), "stderr": outputs[1].last()}
    if process.returncode not in params.success_codes:
        last = (outputs[1].last(2000) or outputs[0].last(2000)).strip().rpartition("\n")[2][:300]
        details = {"exit_code": process.returncode, "stdout": outputs[0].last(4000), "stderr": outputs[1].last(4000)}
        raise Permanent(f"{params.argv[0]} ended with {process.returncode}: {last}", details=details)
    return result


@contextlib.contextmanager
def _started(ctx: ActionContext, params: ShellParams, cwd: str) -> Iterator[subprocess.Popen[bytes]]:
    """The running program, in a process group of its own; nothing of the group is left afterwards."""
    environment = {"PATH": ctx.settings.get("shell_path") or DEFAULT_PATH, "HOME": cwd, "LANG": "C.UTF-8", **params.env}
    with _input(ctx, params) as stdin:
        try:
            process = subprocess.Popen(
                params.argv,
                cwd=cwd,
                env=environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise Permanent(f"{params.argv[0]} cannot be started: {error.strerror}") from error

    def stop() -> None:
        _signal_group(process.pid, signal.SIGTERM)

    with process:
        try:
            with _guarded(process.pid):
                ctx.on_cancel(stop)
                yield process
        finally:
            ctx.token.remove_closer(stop)
            _signal_group(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _guarded(group: int) -> Iterator[None]:
    """Has the group killed should this process die before it said `done`."""
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "sh", str(group)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.communicate(b"done\n")


@contextlib.contextmanager
def _input(ctx: ActionContext, params: ShellParams) -> Iterator[IO[bytes]]:
    """Standard input as a file: a pipe could fill up while nobody reads the output."""
    text = ctx.secret(params.input.secret) if isinstance(params.input, SecretRef) else params.input or ""
    with tempfile.TemporaryFile() as file:
        file.write(text.encode("utf-8", "replace"))
        file.seek(0)
        yield file


class _Output:
    """One of the program's two outputs: what it writes goes to the log, the end of it is kept."""

    def __init__(self, ctx: ActionContext, level: str) -> None:
        self._ctx = ctx
        self._level = level
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pieces: list[str] = []
        self._held = 0
        self._total = 0

    def take(self, data: bytes) -> None:
        """Log a piece; an empty one ends the output."""
        text = self._decoder.decode(data, final=not data)
        if not text:
            return
        self._ctx.log(text, level=self._level)
        self._pieces.append(text)
        self._held += len(text)
        self._total += len(text)
        if self._held > 2 * MAX_KEPT_CHARS:
            end = "".join(self._pieces)[-MAX_KEPT_CHARS:]
            self._pieces, self._held = [end], len(end)

    def last(self, max_chars: int = MAX_KEPT_CHARS) -> str:
        """The end of the output, with a notice of what is missing."""
        text = "".join(self._pieces)[-max_chars:]
        missing = self._total - len(text)
        return f"[cut: {missing} characters before this]\n{text}" if missing else text


def _stream(ctx: ActionContext, process: subprocess.Popen[bytes]) -> tuple[_Output, _Output]:
    """Log what the program writes until it ended. Raises: ActionCancelled once it was killed on request."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = _Output(ctx, "info"), _Output(ctx, "warning")
    ended_at = kill_at = float("inf")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, out)
        selector.register(process.stderr, selectors.EVENT_READ, err)
        while selector.get_map():
            for key, _ in selector.select(_POLL_S):
                data = os.read(key.fd, 64 * 1024)
                key.data.take(data)
                if not data:
                    selector.unregister(key.fileobj)
            now = time.monotonic()
            if ctx.cancelled.is_set() and kill_at == float("inf"):
                _signal_group(process.pid, signal.SIGTERM)
                kill_at = now + GRACE_S
            if now >= kill_at:
                _signal_group(process.pid, signal.SIGKILL)
            if ended_at == float("inf") and process.poll() is not None:
                ended_at = now
            if now - ended_at > _LINGER_S:
                break
    _wait(ctx, process, kill_at)
    out.take(b"")
    err.take(b"")
    ctx.raise_if_cancelled()
    return out, err


def _wait(ctx: ActionContext, process: subprocess.Popen[bytes], kill_at: float) -> None:
    """Wait for a program that closed its outputs, still obeying a stop."""
    while process.poll() is None:
        if ctx.cancelled.is_set() and kill_at == float("inf"):
            kill_at = time.monotonic() + GRACE_S
        if time.monotonic() >= kill_at:
            _signal_group(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
