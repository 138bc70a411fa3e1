"""`ssh.command`: any command or script on the host."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams, SecretRef
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.detached import RemoteCommand, run_detached
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import Argv, EnvironmentName, RemotePath, Word, quote_path, quote_words

NOT_FOUND = (126, 127)


class CommandParams(ActionParams):
    """Either `argv` or `script`. Values for a script go through `env`, so that no value can become code."""

    argv: Argv | None = Field(None, description="the command as a list of words; each stays one word")
    script: str | None = Field(None, min_length=1, max_length=200_000, description="POSIX sh; may hold no references")
    env: dict[EnvironmentName, Word] = Field(default_factory=dict, description="environment, not for secrets")
    cwd: RemotePath = Field("~", description="directory to run in")
    stdin: SecretRef | None = Field(None, description="secret given to the command as one line of input")
    ok_codes: list[int] = Field([0], min_length=1, max_length=256, description="exit statuses that mean success")

    @model_validator(mode="before")
    @classmethod
    def _script_is_fixed(cls, data: Any) -> Any:
        # A fault of the whole, not of the field: a field that holds a reference is checked only when the step runs,
        # and by then the reference has become code.
        if isinstance(data, dict) and "{{" in str(data.get("script", "")):
            raise ValueError("'script' may hold no references ('{{'); hand values over in 'env' and read them as $NAME")
        return data

    @model_validator(mode="after")
    def _one_of(self) -> CommandParams:
        if (self.argv is None) == (self.script is None):
            raise ValueError("give either 'argv' or 'script'")
        if self.argv and (not self.argv[0] or self.argv[0].startswith("-")):
            raise ValueError("the first word of 'argv' is the program; it cannot be empty or begin with '-'")
        if self.script and "\x00" in self.script:
            raise ValueError("'script' must not hold NUL characters")
        return self


@action("ssh.command", queue="ssh", idempotent=True, needs_host=True, retry=RETRY)
def command(ctx: ActionContext, params: CommandParams) -> Result:
    """Run a command on the host. It goes on over the loss of the link or of the worker."""
    memory = StepMemory(ctx)
    lines = [f"export {name}={quote_words([value])}" for name, value in sorted(params.env.items())]
    lines.append(f"cd {quote_path(params.cwd)} || exit 1")
    lines.append(f"exec {quote_words(params.argv)}" if params.argv else params.script or "")
    stdin = ctx.secret(params.stdin.secret) if params.stdin else None
    ctx.progress(message="Running")
    with connect(ctx) as host:
        done = run_detached(ctx, host, memory, RemoteCommand("command", "\n".join(lines), stdin))
    details = {"exit_code": done.status, "output": done.output[-4000:]}
    if done.status in params.ok_codes:
        return Result(f"Ended with status {done.status}", details)
    reason = f"the command ended with status {done.status}: {done.output.strip()[-500:]}"
    if params.argv and done.status in NOT_FOUND:
        raise Permanent(reason, details=details)
    raise Retryable(reason, details=details)
