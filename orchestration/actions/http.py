"""`http.request`: calls an HTTP endpoint at an address that was checked."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams, SecretRef
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.actions.registry import action
from schemas.flow import BreakerSpec, FlowSpec, RateLimitSpec
from schemas.json import Json, JsonObject

LONGEST_RETRY_AFTER_S = 86_400.0

_WORTH_A_RETRY = frozenset({408, 425, 429})
# Set by the transport, or able to change where a request ends up.
_FORBIDDEN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "proxy-authorization"}
)


class HeaderSecret(SecretRef):
    """A secret as a header's value: `{"secret": "civitai", "prefix": "Bearer "}`."""

    prefix: str = Field("", max_length=40)


class HttpParams(ActionParams):
    """What to request, and what counts as success."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: str = Field(min_length=1, max_length=4096, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://")
    headers: dict[str, str | HeaderSecret] = Field(default_factory=dict, max_length=50)
    query: dict[str, str | int | float | bool | list[str]] = Field(default_factory=dict, max_length=100)
    json_body: Json = Field(None, alias="json", description="sent as JSON; not together with `body`")
    body: str | None = Field(None, description="sent as UTF-8 text")
    timeout_s: float = Field(30, gt=0, le=3600, description="limit for the whole exchange")
    expect: list[int] = Field(
        default_factory=list, max_length=50, description="statuses that succeed; unset: below 400"
    )
    follow_redirects: bool = True

    @field_validator("headers")
    @classmethod
    def _headers_allowed(cls, headers: dict[str, str | HeaderSecret]) -> dict[str, str | HeaderSecret]:
        for name in headers:
            if name.lower() in _FORBIDDEN_HEADERS:
                raise ValueError(f"the header {name!r} is set by the transport")
        return headers

    @model_validator(mode="after")
    def _one_body(self) -> HttpParams:
        if self.body is not None and "json_body" in self.model_fields_set:
            raise ValueError("give either 'json' or 'body'")
        return self


def _flow(params: HttpParams, _host: object) -> FlowSpec | None:
    """A circuit breaker for each server, and a limit that obeys its `Retry-After` for everybody."""
    parts = urlsplit(params.url)
    if not parts.hostname:
        return None
    name = f"http:{parts.hostname}:{parts.port or parts.scheme}"
    return FlowSpec(breaker=BreakerSpec(name=name), rate_limits=(RateLimitSpec(name=name),))


@action("http.request", queue="http", flow=_flow)
def request(ctx: ActionContext, params: HttpParams) -> dict[str, Any]:
    """Call an endpoint; a 429, a 5xx or a broken connection is worth another attempt, other 4xx are not.

    Answers `status`, `headers`, `body` (parsed where it is JSON), `cut` and the final `url`.
    """
    # Here, not above: the web process reads declarations and needs no HTTP client for it.
    from orchestration.actions.http_exchange import exchange

    answer = exchange(ctx, params)
    ctx.log(f"{params.method} {shown(params.url)}: {answer['status']} in {answer['elapsed_ms']} ms\n")
    return _judged(params, answer)


def shown(url: str) -> str:
    """A URL as messages show it: without its query, which may hold what is not for logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def retry_after_s(headers: JsonObject) -> float | None:
    """Seconds to wait by a Retry-After header, in seconds or as a date; None without a readable one.

    Source: RFC 9110, section 10.2.3. A date is compared with the server's own Date where it sent one.
    """
    value = str(headers.get("retry-after", "")).strip()
    if value.isdecimal():
        return min(float(value), LONGEST_RETRY_AFTER_S)
    try:
        then = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    try:
        now = parsedate_to_datetime(str(headers.get("date", ""))).timestamp()
    except (ValueError, TypeError, OverflowError):
        now = time.time()
    return min(max(then - now, 0.0), LONGEST_RETRY_AFTER_S)


def _judged(params: HttpParams, answer: JsonObject) -> JsonObject:
    """The answer, where its status counts as success. Raises: Retryable or Permanent otherwise."""
    status = answer["status"]
    if status in params.expect if params.expect else status < 400:
        return answer
    details = {
        "status": status,
        "body": answer["body"] if len(str(answer["body"])) <= 2000 else str(answer["body"])[:2000],
    }
    reason = f"{params.method} {shown(params.url)}: status {status}"
    if status in _WORTH_A_RETRY or status >= 500:
        raise Retryable(reason, after=retry_after_s(answer["headers"]), details=details, code=f"http.{status}")
    raise Permanent(reason, details=details, code=f"http.{status}")
