"""Rights: every view says who may call it, and nothing is served that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from api.auth.identity import bearer_token, identify, is_metrics_token, session_cookie_name
from api.refusal import Refusal
from api.security import check_origin
from api.services import current_services
from orchestration.ports import Actor
from schemas.statuses import Role

View = TypeVar("View", bound=Callable[..., Any])


def requires(role: Role) -> Callable[[View], View]:
    """Say that a view needs this role. It is checked before the request's body is looked at."""

    def mark(view: View) -> View:
        view.required_role = role  # type: ignore[attr-defined]
        return view

    return mark


def public(view: View) -> View:
    """Say that a view is for everyone."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def scraped(view: View) -> View:
    """Say that a view may also be read with the token of the setting `metrics_token`."""
    view.is_scraped = True  # type: ignore[attr-defined]
    return view


def page(view: View) -> View:
    """Say that a view is a page: a browser that is not signed in is led to the sign-in page."""
    view.is_page = True  # type: ignore[attr-defined]
    return view


def required_role(app: Flask, endpoint: str) -> Role | None:
    """The role an endpoint needs; None for a public one.

    Raises: LookupError for a view that says neither.
    """
    view = app.view_functions[endpoint]
    if endpoint == "static" or getattr(view, "is_public", False):
        return None
    role = getattr(view, "required_role", None)
    if role is None:
        raise LookupError(f"the view of {endpoint!r} is marked neither @requires nor @public")
    return Role(role)


def guard(app: Flask) -> None:
    """Check every request's rights. Call it when all views are registered: one without a mark is refused here."""
    for rule in app.url_map.iter_rules():
        required_role(app, rule.endpoint)
    app.before_request(_check_rights)


def current_actor() -> Actor:
    """Who makes this request. Raises: Refusal (401) when nobody is signed in."""
    actor: Actor | None = g.get("actor")
    if actor is None:
        raise _not_signed_in()
    return actor


def _check_rights() -> BaseResponse | None:
    if request.endpoint is None:
        # An unknown address or method: the answer is the same for everyone.
        return None
    role = required_role(current_app, request.endpoint)
    if role is None:
        return None
    services = current_services()
    bearer = bearer_token(request.headers.get("Authorization"))
    if bearer is not None and _is_scraper(bearer):
        return None
    session = None if bearer is not None else request.cookies.get(session_cookie_name(services.settings))
    actor = identify(services.database, bearer=bearer, session=session)
    if actor is None:
        if bearer is not None:
            services.limiter.hit("sign_in", _address())
            services.limiter.refusals.note("a token that is not valid was", _address())
        return _lead_to_sign_in()
    g.actor = replace(actor, address=_address())
    if bearer is None:
        check_origin(services.settings)
    if not actor.role.includes(role):
        raise Refusal(
            403,
            "not_allowed",
            f"this needs the role {role}; you are {actor.name}, {actor.role}",
            mend=f"use a token with the role {role}",
        )
    rate = getattr(current_app.view_functions[request.endpoint], "limited_by", None)
    if rate is not None:
        services.limiter.hit(rate, actor.name)
    return None


def _is_scraper(bearer: str) -> bool:
    return getattr(current_app.view_functions[request.endpoint or ""], "is_scraped", False) and is_metrics_token(
        current_services().settings, bearer
    )


def _address() -> str:
    return request.remote_addr or ""


def _lead_to_sign_in() -> BaseResponse:
    view = current_app.view_functions[request.endpoint or ""]
    if getattr(view, "is_page", False) and "text/html" in request.headers.get("Accept", ""):
        return redirect(url_for("auth.sign_in_page", next=_address_asked_for()), 303, Response)
    raise _not_signed_in()


def _address_asked_for() -> str | None:
    """Where the browser goes on after signing in; None: to the front, where it goes anyhow."""
    query = request.query_string.decode("ascii", "ignore")
    asked = quote(request.path) + (f"?{query}" if query else "")
    return None if asked == "/" else asked


def _not_signed_in() -> Refusal:
    return Refusal(
        401,
        "not_signed_in",
        "this needs a valid token or session",
        mend="send 'Authorization: Bearer <token>', or sign in with the link that 'perdure open' prints",
        headers={"WWW-Authenticate": 'Bearer realm="perdure"'},
    )
