"""What a provider's failure means: whether to try again, when, and what people read, without its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.actions.http import retry_after_s
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.redaction import Redactor
from schemas.json import JsonObject

MAX_SAID = 500

# As OpenAI and those that imitate it name them.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_REFUSED = frozenset(
    {
        "context_length_exceeded",
        "invalid_request_error",
        "content_policy_violation",
        "BadRequestError",
        "invalid_prompt",
    }
)
_LIMITED = frozenset({"rate_limit_exceeded", "rate_limit_error", "tokens", "requests"})


@dataclass(frozen=True)
class Failures:
    """Says what failures of one request mean: `who` is `provider/model`, `redactor` knows the key."""

    who: str
    redactor: Redactor

    def status(self, status: int, body: object, headers: Mapping[str, str]) -> Permanent | Retryable:
        """What an answer with a status other than 2xx means."""
        error = _error_of(body)
        said = self._said(error, body)
        details: JsonObject = {"status": status}
        if code := str(error.get("code") or error.get("type") or "")[:100]:
            details |= {"said": self.redactor.text(code)}
        after = retry_after_s({name.lower(): value for name, value in headers.items()})
        match status:
            case 429 if _words(error) & _NO_MONEY:
                return Permanent(
                    f"{self.who}: the account has no money left{said}", code="model.refused", details=details
                )
            case 429:
                reason = f"{self.who}: too many requests{said}"
                return Retryable(reason, after=after, code="model.rate_limited", details=details)
            case 401 | 403:
                return Permanent(
                    f"{self.who}: the key is not accepted{said}", code="model.unauthorized", details=details
                )
            case 404:
                return Permanent(
                    f"{self.who}: the provider knows no such model or path{said}", code="model.unknown", details=details
                )
            case 408 | 409 | 425:
                return Retryable(
                    f"{self.who}: status {status}{said}", after=after, code="model.unavailable", details=details
                )
            case _ if status >= 500:
                return Retryable(
                    f"{self.who}: status {status}{said}", after=after, code="model.unavailable", details=details
                )
        return Permanent(f"{self.who}: refused with status {status}{said}", code="model.refused", details=details)

    def said(self, error: dict[str, Any]) -> Permanent | Retryable:
        """What an error in the midst of an answer means."""
        said, words = self._said(error, error), _words(error)
        if words & _LIMITED:
            return Retryable(f"{self.who}: too many requests{said}", code="model.rate_limited")
        status = error.get("code")
        if words & (_REFUSED | _NO_MONEY) or (
            isinstance(status, int) and 400 <= status < 500 and status not in (408, 429)
        ):
            return Permanent(f"{self.who}: refused{said}", code="model.refused")
        return Retryable(f"{self.who}: failed in the midst of its answer{said}", code="model.unavailable")

    def unreachable(self, reason: str) -> Retryable:
        """No connection, or one that broke before there was an answer."""
        return Retryable(self.redactor.text(f"{self.who}: cannot be reached: {reason}"), code="model.unavailable")

    def unsendable(self) -> Permanent:
        """HTTP has no such header: the key has a character that none may have."""
        return Permanent(
            f"{self.who}: the key cannot be sent: it has a line break or another character that is no part of a key",
            code="model.unauthorized",
        )

    def timeout(self, waited_for: str) -> Retryable:
        """Something took longer than it may."""
        return Retryable(f"{self.who}: {waited_for}", code="model.timeout")

    def cut_off(self, reason: str) -> Retryable:
        """An answer ended in its midst."""
        return Retryable(self.redactor.text(f"{self.who}: the answer broke off: {reason}"), code="model.cut_off")

    def malformed(self, reason: str) -> Retryable:
        """What came is no answer."""
        return Retryable(self.redactor.text(f"{self.who}: the answer cannot be read: {reason}"), code="model.malformed")

    def _said(self, error: Mapping[str, Any], body: object) -> str:
        said = error.get("message") or (body if isinstance(body, str) else "")
        # Redacted before it is cut: half a key would not be found.
        text = " ".join(self.redactor.text(str(said)).split())
        return f": {text[:MAX_SAID]}{'…' if len(text) > MAX_SAID else ''}" if text else ""


def _error_of(body: object) -> dict[str, Any]:
    """The error object of an answer's body, whichever way the provider wraps it."""
    if isinstance(body, dict):
        inner = body.get("error")
        if isinstance(inner, dict):
            return inner
        return {"message": inner} if isinstance(inner, str) else body
    return {}


def _words(error: Mapping[str, Any]) -> set[str]:
    return {str(error.get("code")), str(error.get("type"))}
