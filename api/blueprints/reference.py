"""The pages that describe the API, and the OpenAPI document they are made from."""

from __future__ import annotations

from typing import cast

from flask import Response, current_app, jsonify, render_template
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from api.auth.rights import current_actor, page, requires
from api.openapi import Api, endpoints_by_tag
from api.services import current_services
from schemas.statuses import Role

bp = APIBlueprint("reference", __name__, abp_tags=[Tag(name="Reference")])


@bp.get("/api", doc_ui=False)
@requires(Role.VIEWER)
@page
def front() -> str:
    """Show the API's page: what there is, and how to sign in."""
    return front_page()


def front_page(*, page_is_missing: bool = False) -> str:
    """The API's page; it stands in for the page that people work with where that was not built."""
    document = cast(Api, current_app).api_doc
    settings = current_services().settings
    return render_template(
        "front.html",
        groups=endpoints_by_tag(document),
        actor=current_actor(),
        version=document["info"]["version"],
        flower_port=settings.flower_port,
        web_url=settings.web_url,
        page_is_missing=page_is_missing,
    )


@bp.get("/reference", doc_ui=False)
@requires(Role.VIEWER)
@page
def reference() -> str:
    """Show the OpenAPI document as a page."""
    return render_template("reference.html", actor=current_actor())


@bp.get("/openapi.json")
@requires(Role.VIEWER)
def openapi() -> Response:
    """Describe this API (OpenAPI 3.2)."""
    return jsonify(cast(Api, current_app).api_doc)
