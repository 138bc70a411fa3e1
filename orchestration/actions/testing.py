"""For the tests of actions: a context that needs no server and remembers what the action emitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.actions.context import ActionContext, CancelToken
from orchestration.actions.outcomes import Permanent
from orchestration.core.storable import storable
from schemas.json import Json, JsonObject
from schemas.progress import Progress
from schemas.workflow import SshTarget

CHECKPOINT_BYTES = 256 * 1024


@dataclass
class Recorder:
    """What an action emitted. `secrets` are those it may read, `step_results` what earlier steps answered."""

    secrets: dict[str, str] = field(default_factory=dict)
    step_results: dict[str, Json] = field(default_factory=dict)
    progress_seen: list[Progress] = field(default_factory=list)
    pieces: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    heard_before: str = ""
    checkpoints: list[Json] = field(default_factory=list)
    secrets_read: list[tuple[str, str | None]] = field(default_factory=list)
    network: list[tuple[int, int]] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)

    @property
    def log_text(self) -> str:
        """The step's log."""
        return "".join(text for text, _ in self.pieces)

    def progress(self, progress: Progress) -> None:
        self.progress_seen.append(progress)

    def log(self, text: str, level: str) -> None:
        self.pieces.append((text, level))

    def write(self, text: str) -> None:
        self.text += text

    def rewrite(self, text: str) -> None:
        self.text = text

    def heard(self) -> str:
        return self.heard_before

    def checkpoint(self, data: Json) -> None:
        self.checkpoints.append(storable(data, max_bytes=CHECKPOINT_BYTES))

    def result(self, key: str) -> Json:
        return self.step_results[key]

    def secret(self, name: str, host: str | None = None) -> str:
        self.secrets_read.append((name, host))
        if name not in self.secrets:
            raise Permanent(f"the secret {name!r} does not exist")
        return self.secrets[name]

    def count_tokens(self, prompt: int, completion: int) -> None:
        self.tokens.append((prompt, completion))

    def count_network(self, sent: int, received: int) -> None:
        self.network.append((sent, received))


def make_context(
    recorder: Recorder | None = None,
    *,
    attempt: int = 1,
    params: Mapping[str, Any] | None = None,
    restored: Json = None,
    written: str = "",
    settings: Mapping[str, Any] | None = None,
    host: SshTarget | None = None,
    signal: JsonObject | None = None,
    token: CancelToken | None = None,
    step_key: str = "step",
) -> ActionContext:
    """A context for one call of an action. Cancel it with `ctx.token.cancel("stop")`."""
    recorder = recorder or Recorder()
    return ActionContext(
        run_id="run-1",
        step_key=step_key,
        attempt=attempt,
        params=params or {},
        results=recorder.step_results,
        restored=restored,
        written=written,
        deadline=datetime.now(UTC) + timedelta(hours=1),
        host=host,
        settings=settings or {},
        services=recorder,
        token=token or CancelToken(),
        signal=signal,
    )
