"""What protects browsers and the server itself: origins, headers, trusted proxies, body limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api.refusal import Refusal
from api.requests import JsonRequest
from settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
MAX_PATH = 2000
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_OWN_PATH = re.compile(r"/(?:[^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*)?")
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT",
              "HTTP_X_FORWARDED_PREFIX", "HTTP_FORWARDED")  # fmt: skip


def secure(app: Flask, settings: Settings) -> None:
    """Set up all that is said above."""
    app.request_class = JsonRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.wsgi_app = trust_proxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign, assignment]
    origins = allowed_origins(settings)
    fixed = fixed_headers(settings)
    app.before_request(partial(_answer_options, origins))
    app.before_request(_refuse_nul)
    app.after_request(partial(_add_headers, origins, fixed, content_policy(settings, at_address=True)))


def allowed_origins(settings: Settings) -> frozenset[str]:
    """The origins whose pages may use this server: our own ports on loopback, and those in the settings.

    Never derived from a Host header.
    """
    return frozenset(own_origins(settings)) | frozenset(origin.rstrip("/") for origin in settings.allowed_origins)


def own_origins(settings: Settings) -> list[str]:
    """Our web and relay ports under each name of this machine: all one origin."""
    return [
        f"{scheme}://{name}:{port}"
        for scheme in ("http", "https")
        for name in _own_names(settings)
        for port in (settings.port, settings.relay_port)
    ]


def _own_names(settings: Settings) -> list[str]:
    names = list(LOOPBACK_NAMES)
    if settings.host not in ("", "0.0.0.0", "::", "localhost", "127.0.0.1", "::1"):
        names.append(f"[{settings.host}]" if ":" in settings.host else settings.host)
    return names


def check_origin(settings: Settings) -> None:
    """Refuse a state change that a foreign page could have made a signed-in browser send.

    Browsers say where a request comes from; one with a cookie that does not say it is no browser, and can use a token.
    Raises: Refusal (403).
    """
    if request.method not in SAFE_METHODS and not _is_from_own_page(settings):
        raise Refusal(
            403,
            "foreign_origin",
            "a change with a session cookie must come from this server's own pages",
            mend="add the page's origin to PERDURE_ALLOWED_ORIGINS, or send a bearer token in place of the cookie",
        )


def check_sign_in_origin(settings: Settings) -> None:
    """Refuse to sign a browser in for a foreign page; a script that says no origin may sign in.

    Raises: Refusal (403).
    """
    if ("Origin" in request.headers or "Sec-Fetch-Site" in request.headers) and not _is_from_own_page(settings):
        raise Refusal(
            403,
            "foreign_origin",
            "signing in must start on this server's own page",
            mend="open /sign-in here, or add the page's origin to PERDURE_ALLOWED_ORIGINS",
        )


def _is_from_own_page(settings: Settings) -> bool:
    origin = request.headers.get("Origin", "null")
    # A page with the policy `no-referrer` may send "null"; then the browser's own judgement counts.
    if origin == "null":
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    return origin in allowed_origins(settings)


def own_path(text: str) -> str:
    """The same if it is an address of this server, without its name; else that of the front.

    What begins with two slashes names another server, and browsers take a backslash for a slash.
    """
    return text if len(text) <= MAX_PATH and _OWN_PATH.fullmatch(text) else "/"


def content_policy(settings: Settings, *, at_address: bool = False) -> str:
    """The Content-Security-Policy: our own files only, and connections to our own relay.

    The relay is reached by any name that pages of ours may have. Policies have no words for an IPv6 address: a page
    that was opened at one (`at_address`) may connect to the relay's port anywhere.
    """
    names = {*_own_names(settings), *(urlsplit(origin).hostname or "" for origin in settings.allowed_origins)}
    hosts = ["*"] if at_address else sorted(filter(_HOST_NAME.fullmatch, names))
    relay = [f"{scheme}://{host}:{settings.relay_port}" for host in hosts for scheme in ("http", "https", "ws", "wss")]
    return (
        f"default-src 'self'; connect-src 'self' {' '.join(relay)}; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def fixed_headers(settings: Settings) -> dict[str, str]:
    """The headers that every answer has."""
    return {
        "Content-Security-Policy": content_policy(settings),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def trust_proxies(app: WSGIApplication, trusted: Iterable[str]) -> WSGIApplication:
    """Take the client's address and scheme from X-Forwarded-* of trusted proxies; drop those headers otherwise."""
    networks = [ip_network(entry, strict=False) for entry in trusted]

    def is_trusted(address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in networks)

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded = {name: environ.pop(name) for name in _FORWARDED if name in environ}
        if forwarded and is_trusted(environ.get("REMOTE_ADDR", "")):
            chain = [part.strip() for part in forwarded.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
            # The nearest address that is not a proxy of ours; what stands further left anyone can have written.
            client = next((address for address in reversed(chain) if not is_trusted(address)), "")
            if _is_address(client):
                environ["REMOTE_ADDR"] = client
            scheme = forwarded.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip()
            if scheme in ("http", "https"):
                environ["wsgi.url_scheme"] = scheme
        return app(environ, start_response)

    return call


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _answer_options(origins: frozenset[str]) -> Response | None:
    if request.method != "OPTIONS" or request.url_rule is None:
        return None
    answer = Response(status=204)
    answer.headers["Allow"] = methods = ", ".join(sorted(request.url_rule.methods or ()))
    if request.headers.get("Origin") in origins:
        answer.headers["Access-Control-Allow-Methods"] = methods
        answer.headers["Access-Control-Allow-Headers"] = (
            "Authorization, Content-Type, If-None-Match, Idempotency-Key, Last-Event-ID"
        )
        answer.headers["Access-Control-Max-Age"] = "600"
    return answer


def _refuse_nul() -> None:
    if "\0" in request.path or b"%00" in request.query_string:
        raise Refusal(400, "invalid_request", "the address holds a NUL character", mend="leave it out")


def _add_headers(origins: frozenset[str], fixed: dict[str, str], policy_at_address: str, answer: Response) -> Response:
    headers = answer.headers
    headers.update(fixed)
    if request.host.startswith("["):
        headers["Content-Security-Policy"] = policy_at_address
    if request.endpoint == "static":
        headers["Cache-Control"] = "no-cache"
    else:
        headers.setdefault("Cache-Control", "no-store")
    answer.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins and origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
        headers["Access-Control-Expose-Headers"] = "ETag, Location, Retry-After"
    return answer
