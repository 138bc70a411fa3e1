"""What an action returns or raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.json import JsonObject
from schemas.workflow import StepSpec


class Retryable(Exception):
    """The attempt failed, and another one may succeed. `after` is the least delay in seconds, if known.

    code: what kind of failure it was, such as `http.503`, for policies that tell kinds apart.
    """

    def __init__(
        self, reason: str, *, after: float | None = None, details: JsonObject | None = None, code: str = "retryable"
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.details = details
        self.code = code


class Permanent(Exception):
    """The step failed, and trying again would fail as well. `code` as of `Retryable`."""

    def __init__(self, reason: str, *, details: JsonObject | None = None, code: str = "permanent") -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details
        self.code = code


class ActionCancelled(Exception):
    """Raised inside an action by `raise_if_cancelled`; actions let it pass."""


class WaitUntil(Exception):
    """The step waits as a row and frees its worker: for a signal, or until a time (raised by bundled actions only)."""

    def __init__(self, reason: str, until: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.until = until


@dataclass(frozen=True)
class Result:
    """A result with a sentence for people and a map of details.

    prose: it is text that people asked for: only the values of known secrets are masked in it, and nothing that merely
        looks like a secret.
    """

    message: str
    details: JsonObject = field(default_factory=dict)
    prose: bool = False


ExpandStep = StepSpec


@dataclass(frozen=True)
class Expand:
    """More steps for the run, inserted in the transaction that completes this step.

    `needs` of the new steps name other new steps. The dependents of the expanding step wait for the last of them.
    """

    steps: Sequence[ExpandStep]
    message: str = ""
    details: JsonObject = field(default_factory=dict)


ActionReturn = dict[str, Any] | Result | Expand | None
