"""What an action sees of its attempt. It never sees the engine or the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from orchestration.actions.outcomes import ActionCancelled
from schemas.json import Json, JsonObject
from schemas.progress import Item, Phase, Progress
from schemas.workflow import SshTarget


class AttemptServices(Protocol):
    """What the context needs from the worker around it. All methods return at once unless said otherwise."""

    def progress(self, progress: Progress) -> None:
        """Publish progress, and store it at most every half second with a trailing write."""

    def log(self, text: str, level: str) -> None:
        """Publish a piece of log and store it soon."""

    def write(self, text: str) -> None:
        """Publish a piece of the step's text and store it soon. Raises TooLarge past the largest text."""

    def rewrite(self, text: str) -> None:
        """Put another text in place of all that was written. Raises TooLarge."""

    def heard(self) -> str:
        """What was written before this attempt, as far as readers have heard it; blocks for up to 3 s.

        Empty: no more is known than what was stored.
        """

    def checkpoint(self, data: Json) -> None:
        """Store a checkpoint under the fence; blocks. Raises LeaseLost when a later attempt holds the step."""

    def result(self, key: str) -> Json:
        """The result of an earlier step, None if it has none; blocks. Raises KeyError for an unknown step."""

    def secret(self, name: str, host: str | None = None) -> str:
        """The value of a secret, redacted from then on; `host` is where it goes, unset: the run's SSH host.

        Raises Permanent when it is missing, or not for this action or host.
        """

    def count_network(self, sent: int, received: int) -> None:
        """Add bytes to what the attempt sent and received."""

    def count_tokens(self, prompt: int, completion: int) -> None:
        """Add tokens to what the attempt had models read and write."""


@dataclass
class CancelToken:
    """Tells a running action to stop. Set from other threads, or by a signal handler."""

    event: threading.Event = field(default_factory=threading.Event)
    reason: str = ""
    _closers: list[Callable[[], None]] = field(default_factory=list)

    def cancel(self, reason: str) -> None:
        """Ask the action to stop: sets the event, then closes what was registered with `on_cancel`."""
        if self.event.is_set():
            return
        self.reason = reason
        self.event.set()
        for close in list(self._closers):
            try:
                close()
            except Exception:
                continue

    def add_closer(self, close: Callable[[], None]) -> None:
        """Call `close` when the attempt is cancelled, at once if it already is."""
        self._closers.append(close)
        if self.event.is_set():
            close()

    def remove_closer(self, close: Callable[[], None]) -> None:
        """Forget a closer that is no longer needed."""
        if close in self._closers:
            self._closers.remove(close)


@dataclass(frozen=True)
class ActionContext:
    """One attempt at a step, as the action sees it."""

    run_id: str
    step_key: str
    attempt: int
    params: Mapping[str, Any]
    results: Mapping[str, Any]
    restored: Json
    written: str
    deadline: datetime
    host: SshTarget | None
    settings: Mapping[str, Any]
    services: AttemptServices
    token: CancelToken
    signal: JsonObject | None = None
    written_until: str = ""
    """Why the attempt that wrote `written` ended: `lost`, `handed_back`, or the code of its failure."""
    kept: Json = None
    """The result that a step which writes a text has had, where it is run again only since something before it was
    retried. An action that finds nothing changed may return it as it is; its text still stands."""

    @property
    def idempotency_key(self) -> str:
        """The same for all attempts at this step; hand it to services that de-duplicate."""
        return f"{self.run_id}/{self.step_key}"

    def progress(
        self,
        *,
        percent: float | None = None,
        message: str | None = None,
        detail: str | None = None,
        items: Sequence[Item | Mapping[str, Any]] | None = None,
        phases: Sequence[Phase | Mapping[str, Any]] | None = None,
        active_phase: int | None = None,
    ) -> None:
        """Say how far the attempt is. Replaces what was said before; cheap to call often."""
        kind = "multi_phase" if phases else "checklist" if items else "simple" if percent is None else "percentage"
        self.services.progress(
            Progress.model_validate(
                {
                    "type": kind,
                    "percent": percent,
                    "message": message,
                    "detail": detail,
                    "items": items,
                    "phases": phases,
                    "active_phase": active_phase,
                }
            )
        )

    def log(self, text: str, level: str = "info") -> None:
        """Add text to the step's log."""
        self.services.log(text, level)

    def write(self, text: str) -> None:
        """Add to the text that the step writes, such as what a model answers, piece by piece.

        Who watches gets each piece at once. It is stored every 2 s or 100 pieces, and as the attempt ends in any way;
        the next attempt finds it as `written`, and why it ends there as `written_until`. It goes on from there, or from
        `heard()`, with a `rewrite` of that first since readers may have seen more, or begins anew with `rewrite("")`.
        Raises: TooLarge past 240 KiB.
        """
        self.services.write(text)

    def rewrite(self, text: str) -> None:
        """Put another text in place of all that was written, for readers too. Raises: TooLarge."""
        self.services.rewrite(text)

    def heard(self) -> str:
        """`written`, with what readers were told besides before that attempt was lost, as far as that is known.

        Who goes on from it takes nothing back. Reads the run's events, for up to 3 s; without Valkey it is `written`.
        """
        return self.services.heard() or self.written

    def checkpoint(self, data: Json) -> None:
        """Store `data` (at most 256 KiB of JSON) for the next attempt, which finds it as `restored`.

        Raises: LeaseLost when a later attempt holds the step; let it pass.
        """
        self.services.checkpoint(data)

    @property
    def cancelled(self) -> threading.Event:
        """Set when the action should stop; `ctx.cancelled.wait(seconds)` is the right way to sleep."""
        return self.token.event

    def raise_if_cancelled(self) -> None:
        """Raise ActionCancelled if the action should stop."""
        if self.token.event.is_set():
            raise ActionCancelled(self.token.reason)

    def on_cancel(self, close: Callable[[], None]) -> None:
        """Call `close` (close a channel, kill a child) as soon as the attempt is cancelled."""
        self.token.add_closer(close)

    def secret(self, name: str, *, host: str | None = None) -> str:
        """The value of a secret named by a `SecretRef` parameter. It is redacted wherever it would appear.

        `host` is where the value will be sent; unset: the run's SSH host.
        Raises: Permanent when it does not exist or is not meant for this action or host.
        """
        return self.services.secret(name, host)

    def count_network(self, *, sent: int = 0, received: int = 0) -> None:
        """Add bytes that the attempt sent and received over the network to what it used, from any thread.

        Only what is known; `orchestration.actions.network.counted` asks the kernel about a socket.
        """
        self.services.count_network(sent, received)

    def count_tokens(self, *, prompt: int = 0, completion: int = 0) -> None:
        """Add tokens that models read and wrote for the attempt to what it used, from any thread."""
        self.services.count_tokens(prompt, completion)
