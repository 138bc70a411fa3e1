"""Circuit breakers: how they stand, how they came to it, and setting them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from api.audit import audit_target, audited
from api.auth.rights import current_actor, requires
from api.blueprints.metrics import answer_with
from api.fleet import breakers_of, breakers_shown
from api.refusal import Refusal
from api.services import current_services
from messaging.breakers import ValkeyBreakers
from orchestration.engine.breaker_history import MAX_PAGE, BreakerHistory
from orchestration.engine.breaker_orders import BreakerOrders
from orchestration.engine.waking import Waking
from orchestration.gates.breaker import BreakerState, BreakerStatus, Change
from schemas.answers.metrics import BreakerAnswer, BreakerChangesAnswer, BreakersAnswer, BreakersResetAnswer
from schemas.flow import ResourceName
from schemas.statuses import Role

bp = APIBlueprint(
    "breakers", __name__, url_prefix="/api/orchestration/circuit-breakers", abp_tags=[Tag(name="Circuit breakers")]
)
# As many as a breaker's own first wave: each that succeeds wakes two more.
WOKEN = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BreakerQuery(_Strict):
    """Which breaker."""

    name: ResourceName


class ResetQuery(_Strict):
    """Which breaker; unset: all."""

    name: ResourceName | None = None


class ChangesQuery(_Strict):
    """Which page of the changes."""

    name: ResourceName | None = Field(None, description="of this breaker only")
    cursor: int | None = Field(None, ge=1)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class ResetBody(_Strict):
    """Which breaker; unset: all."""

    name: ResourceName | None = None


class ForceBody(_Strict):
    """What a breaker is to be, whatever the calls say; `auto`: by itself again."""

    name: ResourceName
    state: Literal["open", "closed", "auto"]


@bp.get("", responses={200: BreakersAnswer})
@requires(Role.VIEWER)
def breakers() -> Response:
    """List the breakers that were used of late, those set by hand first."""
    return answer_with(BreakersAnswer, {"breakers": breakers_shown(_store().all())})


@bp.get("/one", responses={200: BreakerAnswer})
@requires(Role.VIEWER)
def one(query: BreakerQuery) -> Response:
    """Show one breaker."""
    return answer_with(BreakerAnswer, {"breaker": breakers_shown([_known(query.name)])[0]})


@bp.get("/changes", responses={200: BreakerChangesAnswer})
@requires(Role.VIEWER)
def changes(query: ChangesQuery) -> Response:
    """List when breakers changed, and why, newest first; 90 days are kept."""
    found = BreakerHistory(current_services().database).page(
        name=query.name, before=query.cursor, limit=min(query.limit, MAX_PAGE)
    )
    following = found[-1]["id"] if len(found) == query.limit else None
    return answer_with(BreakerChangesAnswer, {"changes": found, "next": following})


@bp.post("/reset", responses={200: BreakersResetAnswer})
@requires(Role.ADMIN)
@audited("breaker.reset")
def reset(body: ResetBody) -> Response:
    """Close one breaker or all, forget their failures, and let what waited go on, also on one that nobody knows."""
    return _reset(body.name)


@bp.get("/reset", responses={200: BreakersResetAnswer}, deprecated=True)
@requires(Role.ADMIN)
@audited("breaker.reset")
def reset_by_get(query: ResetQuery) -> Response:
    """Do the same as POST, for a token in the header alone: a link must not change anything."""
    if "Authorization" not in request.headers:
        raise Refusal(
            405,
            "method_not_allowed",
            "a reset changes something, and a browser follows links by GET",
            mend="use POST, or send the token as 'Authorization: Bearer <token>'",
            headers={"Allow": "POST"},
        )
    answer = _reset(query.name)
    # RFC 9745: since when, in seconds.
    answer.headers["Deprecation"] = "@1763683200"
    answer.headers["Link"] = f'<{request.path}>; rel="successor-version"; method="POST"'
    return answer


@bp.post("/force", responses={200: BreakersResetAnswer})
@requires(Role.ADMIN)
@audited("breaker.force")
def force(body: ForceBody) -> Response:
    """Keep a breaker open or closed until it is reset, or leave it to itself again."""
    audit_target(f"{body.name}: {body.state}")
    store, orders, actor = _store(), _orders(), current_actor().name
    why = f"by {actor}"
    if body.state == "auto":
        if not orders.leave(body.name, actor=actor):
            _known(body.name)
        change = store.clear(body.name, why=f"left to itself {why}")
    else:
        # First where it lasts: while Valkey is away the order is kept, and holds as soon as it is back.
        orders.give(body.name, body.state, actor=actor)
        change = store.force(body.name, BreakerState(body.state), why=f"forced {body.state} {why}")
    made = [change] if change is not None else []
    woken = _told(made, wake=[body.name] if body.state != "open" else [])
    return _done(f"breaker {body.name} is {body.state}", made, woken)


def _reset(name: str | None) -> Response:
    store, orders, why = _store(), _orders(), f"reset by {current_actor().name}"
    audit_target(name or "all")
    was_forced = orders.leave(name, actor=current_actor().name)
    if name is not None:
        if not was_forced and not orders.is_awaited(name):
            _known(name)
        change = store.reset(name, why=why)
        names, made = [name], [change] if change is not None else []
    else:
        names = list({*(breaker.name for breaker in store.all()), *orders.awaited()})
        made = store.reset_all(why=why)
    woken = _told(made, wake=names)
    return _done("all breakers were reset" if name is None else f"breaker {name} was reset", made, woken)


def _told(made: Sequence[Change], *, wake: Sequence[str]) -> int:
    """Keep what changed, and wake the first steps that waited on these breakers; how many."""
    services = current_services()
    history = BreakerHistory(services.database)
    for change in made:
        history.note(change, actor=current_actor().name)
    runs = services.runs
    waking = Waking(services.database, runs.dispatcher, runs.events, resend_s=services.settings.resend_s)
    return sum(waking.waiting(f"breaker:{name}", WOKEN) for name in wake)


def _done(message: str, made: Sequence[Change], woken: int) -> Response:
    changed = [change.name for change in made]
    return answer_with(BreakersResetAnswer, {"message": message, "changed": changed, "woken": woken})


def _known(name: str) -> BreakerStatus:
    found = _store().one(name)
    if found is None:
        raise Refusal(
            404,
            "unknown_breaker",
            f"no breaker {name!r} was used of late",
            where="name",
            mend="GET /api/orchestration/circuit-breakers lists them",
        )
    return found


def _orders() -> BreakerOrders:
    return BreakerOrders(current_services().database)


def _store() -> ValkeyBreakers:
    return breakers_of(current_services().redis_url)
