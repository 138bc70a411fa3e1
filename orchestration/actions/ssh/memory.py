"""What a step remembers over its attempts: one checkpoint, kept by several threads."""

from __future__ import annotations

import threading
from typing import Any

from orchestration.actions.context import ActionContext


class StepMemory:
    """A map that the next attempt finds again. Each `put` stores the whole map."""

    def __init__(self, ctx: ActionContext) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._data: dict[str, Any] = dict(ctx.restored) if isinstance(ctx.restored, dict) else {}

    def get(self, key: str) -> Any:
        """What was stored last under `key`, None if nothing."""
        with self._lock:
            return self._data.get(key)

    def put(self, key: str, value: Any) -> None:
        """Store `value` (JSON) under `key`; blocks. Raises: LeaseLost, let it pass."""
        with self._lock:
            self._data[key] = value
            self._ctx.checkpoint(dict(self._data))
