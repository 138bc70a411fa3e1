"""The exchange behind `http.request`: send to a checked address, follow redirects, read the answer."""

from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError, NewConnectionError

from orchestration.actions.address import AllowList, checked_addresses
from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import SecretRef
from orchestration.actions.http import HttpParams, shown
from orchestration.actions.http_answer import answer_from
from orchestration.actions.http_transport import PinnedAdapter, Watch, Wire
from orchestration.actions.outcomes import Permanent, Retryable
from schemas.json import JsonObject

log = logging.getLogger("perdure.http")

MAX_REDIRECTS = 5
CONNECT_TIMEOUT_S = 10.0

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CREDENTIALS = frozenset({"authorization", "cookie"})
_UNSAFE_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


def exchange(ctx: ActionContext, params: HttpParams) -> JsonObject:
    """The answer of the endpoint, whatever its status.

    Raises: Retryable, Permanent, ActionCancelled.
    """
    wire = Wire()
    started = time.monotonic()
    status: int | None = None
    try:
        with Watch(wire, params.timeout_s, ctx.on_cancel) as watch:
            answer = _exchange(ctx, params, wire, watch)
        status = answer["status"]
    finally:
        ctx.token.remove_closer(wire.cut)
        wire.count(ctx)
        elapsed_ms = round((time.monotonic() - started) * 1000)
        # For the audit, whatever came of it. Path and query may hold what is not for logs.
        extra = {"method": params.method, "host": _host(params.url), "status": status, "duration_ms": elapsed_ms}
        log.info("http request" if status is not None else "http request failed", extra=extra)
    return answer | {"elapsed_ms": elapsed_ms}


def _exchange(ctx: ActionContext, params: HttpParams, wire: Wire, watch: Watch) -> JsonObject:
    """Send, follow redirects, read. Whatever goes wrong on the way is worth another attempt or not."""
    try:
        answer = _follow(ctx, params, wire)
    except _UNSAFE_ERRORS as error:
        raise Permanent(f"{shown(params.url)}: the request cannot be sent: {type(error).__name__}") from error
    except (requests.RequestException, HTTPError, OSError) as error:
        ctx.raise_if_cancelled()
        if watch.timed_out:
            raise _too_slow(params) from error
        if any(sign in str(error) for sign in ("CERTIFICATE_VERIFY_FAILED", "CertificateError")):
            raise Permanent(f"{shown(params.url)}: the server's certificate is not trusted") from error
        raise Retryable(f"{shown(params.url)}: {_in_short(error)}") from error
    # A socket that was cut reads like an answer that ended.
    ctx.raise_if_cancelled()
    if watch.timed_out:
        raise _too_slow(params)
    return answer


def _follow(ctx: ActionContext, params: HttpParams, wire: Wire) -> JsonObject:
    allowed = AllowList.parse(ctx.settings.get("http_allow") or ())
    prepared = _prepare(ctx, params)
    private = _CREDENTIALS | {name.lower() for name, value in params.headers.items() if isinstance(value, SecretRef)}
    for _ in range(MAX_REDIRECTS + 1):
        target = _target(prepared)
        response = _send(ctx, prepared, target, allowed, params, wire)
        try:
            location = response.headers.get("location")
            if not (params.follow_redirects and location and response.status_code in _REDIRECTS):
                return answer_from(response)
        finally:
            response.close()
        prepared = _redirected(prepared, response.status_code, location)
        if _origin(_target(prepared)) != _origin(target):
            for name in [name for name in prepared.headers if name.lower() in private]:
                del prepared.headers[name]
    raise Permanent(f"{shown(params.url)}: more than {MAX_REDIRECTS} redirects")


def _prepare(ctx: ActionContext, params: HttpParams) -> requests.PreparedRequest:
    headers = {"User-Agent": "perdure", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
    if params.method in ("POST", "PATCH"):
        headers["Idempotency-Key"] = ctx.idempotency_key
    given = {name.lower() for name in params.headers}
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    host = urlsplit(params.url).hostname
    for name, value in params.headers.items():
        headers[name] = value if isinstance(value, str) else value.prefix + ctx.secret(value.secret, host=host)
    query = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.query.items()}
    wanted = requests.Request(params.method, params.url, headers=headers, params=query)
    if "json_body" in params.model_fields_set:
        wanted.json = params.json_body
    elif params.body is not None:
        wanted.data = params.body.encode()
    try:
        return wanted.prepare()
    except (UnicodeError, ValueError) as error:
        raise Permanent(f"{shown(params.url)}: the request cannot be sent: {type(error).__name__}") from error


def _target(prepared: requests.PreparedRequest) -> SplitResult:
    """The parts of a URL as it goes out. Raises: Permanent for one that no request may have."""
    try:
        target = urlsplit(str(prepared.url))
        usable = target.scheme in _DEFAULT_PORTS and bool(target.hostname) and target.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise Permanent(f"{shown(str(prepared.url))[:200]} is not an http or https URL")
    if "@" in target.netloc:
        raise Permanent("a URL with a name and password is refused; send a header from a secret instead")
    return target


def _send(
    ctx: ActionContext,
    prepared: requests.PreparedRequest,
    target: SplitResult,
    allowed: AllowList,
    params: HttpParams,
    wire: Wire,
) -> requests.Response:
    """One request to the first checked address that takes the connection."""
    scheme, host, port = _origin(target)
    addresses = checked_addresses(host, port, allowed)
    # urllib3 would name the address here.
    prepared.headers["Host"] = (
        target.netloc if port != _DEFAULT_PORTS[scheme] else target.netloc.removesuffix(f":{port}")
    )
    proxies = get_environ_proxies(str(prepared.url)) if ctx.settings.get("http_environment_proxy") else {}
    for left, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
        ctx.raise_if_cancelled()
        try:
            return PinnedAdapter(address, wire).send(
                prepared,
                stream=True,
                timeout=(min(CONNECT_TIMEOUT_S, params.timeout_s), params.timeout_s),
                verify=ctx.settings.get("http_ca_bundle") or True,
                proxies=dict(proxies),
            )
        except requests.ConnectionError as error:
            if not left or wire.is_cut or not _never_connected(error):
                raise
    raise Retryable(f"{host} has no address")


def _redirected(prepared: requests.PreparedRequest, status: int, location: str) -> requests.PreparedRequest:
    """The request that follows a redirect. Source: RFC 9110, section 15.4; 301 and 302 as browsers do it."""
    following = prepared.copy()
    try:
        following.prepare_url(urljoin(str(prepared.url), location), None)
    except ValueError as error:
        raise Permanent(f"{shown(str(prepared.url))} redirects to what is no URL") from error
    if (status == 303 and prepared.method != "HEAD") or (status in (301, 302) and prepared.method == "POST"):
        following.method = "GET"
        following.body = None
        for name in ("Content-Length", "Content-Type", "Idempotency-Key"):
            following.headers.pop(name, None)
    return following


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _origin(target: SplitResult) -> tuple[str, str, int]:
    return target.scheme, str(target.hostname), target.port or _DEFAULT_PORTS[target.scheme]


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _too_slow(params: HttpParams) -> Retryable:
    return Retryable(f"{shown(params.url)}: no complete answer within {params.timeout_s:g} s")


def _in_short(error: Exception) -> str:
    """What broke, without the URL that urllib3 puts into its messages."""
    cause: Any = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    match cause:
        case NewConnectionError():
            return "no connection"
        case BaseException():
            return type(cause).__name__
    return type(error).__name__
