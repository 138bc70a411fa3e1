"""Every error the domain raises: a stable `code`, a sentence for people, the place, and how to mend it."""

from __future__ import annotations

from typing import ClassVar


class PerdureError(Exception):
    """Base of all errors of the domain.

    `where` is a JSON pointer or a name saying what is wrong; `mend` is one sentence on what to do.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str | None = None, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend


class InvalidWorkflow(PerdureError):
    """The workflow cannot be run as sent (unknown action, cycle, missing need, bad reference or parameter)."""

    code = "invalid_workflow"


class InvalidParameters(PerdureError):
    """A step's parameters, once their references are resolved, do not fit its action."""

    code = "invalid_parameters"


class TooLarge(PerdureError):
    """A value is over its size limit."""

    code = "too_large"


class UnknownRun(PerdureError):
    """No run has this id."""

    code = "unknown_run"


class UnknownStep(PerdureError):
    """The run has no such step."""

    code = "unknown_step"


class UnknownAlert(PerdureError):
    """There is no alert with this number."""

    code = "unknown_alert"


class InvalidChat(PerdureError):
    """A chat request cannot be answered as sent (no such model, mixture or filter, an empty message)."""

    code = "invalid_chat"


class UnknownConversation(PerdureError):
    """There is no conversation with this id."""

    code = "unknown_conversation"


class UnknownMessage(PerdureError):
    """There is no message with this id, or the conversation has none."""

    code = "unknown_message"


class UnknownBattle(PerdureError):
    """There is no battle with this id."""

    code = "unknown_battle"


class IllegalControl(PerdureError):
    """The run or step is in a state in which this control means nothing (such as pausing a finished run)."""

    code = "illegal_control"


class InvalidSignal(PerdureError):
    """The payload of a signal is not what its step asks for."""

    code = "invalid_signal"


class RunExists(PerdureError):
    """A run with this id exists and was started with another body."""

    code = "run_exists"


class RunActive(PerdureError):
    """Another unfinished run holds the concurrency key, or the run must be finished first."""

    code = "run_active"


class NotAllowed(PerdureError):
    """The caller's role does not allow this."""

    code = "not_allowed"


class LeaseLost(PerdureError):
    """A later attempt holds the step; this one's outcome was dropped."""

    code = "lease_lost"


class StoreUnavailable(PerdureError):
    """PostgreSQL cannot be reached, or is not able to just now; whether the call changed something is unknown."""

    code = "store_unavailable"


class StoreRefused(Exception):
    """PostgreSQL will never take this call: a defect of ours. No error of the domain, since users can do nothing."""


class StreamUnavailable(PerdureError):
    """Valkey cannot be reached; events cannot be read now, the state can."""

    code = "stream_unavailable"
