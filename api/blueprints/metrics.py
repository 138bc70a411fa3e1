"""How the system does: figures of a window, and what holds steps back just now."""

from __future__ import annotations

from typing import Any, Literal, cast

from flask import Response, current_app
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from api.auth.rights import requires, scraped
from api.exposition import CONTENT_TYPE, HttpMetrics
from api.fleet import look_at_fleet, look_at_news
from api.fleet_figures import FleetFigures
from api.metrics_answer import flow_answer, metrics_answer
from api.services import current_services
from orchestration.engine.metrics import Metrics
from orchestration.engine.queries_flow import read_flow
from schemas.answers.metrics import CamelAnswer, FlowAnswer, MetricsAnswer
from schemas.statuses import Role

bp = APIBlueprint("metrics", __name__, url_prefix="/api/orchestration", abp_tags=[Tag(name="Metrics")])
bp_exposition = APIBlueprint("exposition", __name__, abp_tags=[Tag(name="Metrics")])


class MetricsQuery(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")
    window: Literal["5m", "1h", "24h", "7d"] = Field(
        "1h", description="5m and 1h go by the minute, 24h by the hour, 7d by the day"
    )


@bp.get("/metrics", responses={200: MetricsAnswer})
@requires(Role.VIEWER)
def metrics(query: MetricsQuery) -> Response:
    """Show what ended in a window and in the one before, what is so now, and how well the system does."""
    services = current_services()
    found = Metrics(services.database).read(query.window)
    fleet = look_at_fleet(services.database, services.redis_url, resend_s=services.settings.resend_s)
    return answer_with(MetricsAnswer, metrics_answer(found, fleet))


@bp.get("/flow", responses={200: FlowAnswer})
@requires(Role.VIEWER)
def flow() -> Response:
    """Show what holds steps back just now: limits, locks with holders and waiters, breakers, waiting steps."""
    services = current_services()
    return answer_with(FlowAnswer, flow_answer(read_flow(services.database), look_at_news(services.redis_url)))


@bp_exposition.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
@scraped
@requires(Role.VIEWER)
def exposition() -> Response:
    """Show figures of this process and of the fleet as Prometheus reads them, with the token of the setting too."""
    http = cast(HttpMetrics, current_app.extensions["perdure_http"])
    return Response(http.text(FleetFigures(current_services())), content_type=CONTENT_TYPE)


def answer_with(model: type[CamelAnswer], values: dict[str, Any]) -> Response:
    """An answer of this interface: the model's names in camelCase."""
    return Response(model.model_validate(values).model_dump_json(by_alias=True), mimetype="application/json")
