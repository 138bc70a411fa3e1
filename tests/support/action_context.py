"""An ActionContext for tests of actions, whose services record what the action says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.actions.context import ActionContext, CancelToken
from orchestration.actions.outcomes import Permanent
from schemas.json import Json
from schemas.progress import Progress
from schemas.workflow import SshTarget


@dataclass
class RecordingServices:
    """Keeps all that an action emits; checkpoints must be JSON."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, Any] = field(default_factory=dict)
    said: list[Progress] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    heard_before: str = ""
    pieces: list[str] = field(default_factory=list)
    checkpoints: list[Json] = field(default_factory=list)
    network: list[tuple[int, int]] = field(default_factory=list)
    tokens: list[tuple[int, int]] = field(default_factory=list)
    on_log: Callable[[str], None] = lambda text: None
    on_checkpoint: Callable[[Json], None] = lambda data: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def progress(self, progress: Progress) -> None:
        with self._lock:
            self.said.append(progress)

    def log(self, text: str, level: str) -> None:
        with self._lock:
            self.logged.append((level, text))
        self.on_log(text)

    def write(self, text: str) -> None:
        with self._lock:
            self.text += text
            self.pieces.append(text)

    def rewrite(self, text: str) -> None:
        with self._lock:
            self.text = text
            self.pieces.append(text)

    def heard(self) -> str:
        return self.heard_before

    def checkpoint(self, data: Json) -> None:
        self.on_checkpoint(data)
        with self._lock:
            self.checkpoints.append(json.loads(json.dumps(data, allow_nan=False)))

    def result(self, key: str) -> Json:
        return self.earlier[key]

    def secret(self, name: str, host: str | None = None) -> str:
        if name not in self.secrets:
            raise Permanent(f"there is no secret {name!r}")
        return self.secrets[name]

    def count_tokens(self, prompt: int, completion: int) -> None:
        with self._lock:
            self.tokens.append((prompt, completion))

    def count_network(self, sent: int, received: int) -> None:
        with self._lock:
            self.network.append((sent, received))

    @property
    def log_text(self) -> str:
        """The step's log as one text."""
        with self._lock:
            return "".join(text for _, text in self.logged)

    @property
    def last_checkpoint(self) -> Json:
        """What the next attempt would find as `restored`."""
        return self.checkpoints[-1] if self.checkpoints else None


def make_context(
    services: RecordingServices | None = None,
    *,
    host: SshTarget | None = None,
    settings: Mapping[str, Any] | None = None,
    run_id: str = "run-1",
    step_key: str = "step",
    attempt: int = 1,
    restored: Json = None,
    written: str = "",
    kept: Json = None,
    token: CancelToken | None = None,
) -> ActionContext:
    """A context for one attempt."""
    return ActionContext(
        run_id=run_id,
        step_key=step_key,
        attempt=attempt,
        params={},
        results={},
        restored=restored,
        written=written,
        kept=kept,
        deadline=datetime.now(UTC) + timedelta(hours=1),
        host=host,
        settings=settings or {},
        services=services or RecordingServices(),
        token=token or CancelToken(),
    )
