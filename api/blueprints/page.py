"""The page people work with: one document for all its addresses, and the files it is made of."""

from __future__ import annotations

import mimetypes
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request, send_from_directory
from werkzeug.exceptions import NotFound

from api.auth.rights import page, public, requires
from api.blueprints.reference import front_page
from api.built_page import BuiltPage
from api.errors import http_error
from schemas.statuses import Role

bp = Blueprint("page", __name__)

# As in web/src/router.ts; what lies below a run or the chats is for the page to read.
ADDRESSES = (
    "/runs",
    "/runs/<path:place>",
    "/start",
    "/chat",
    "/chat/<path:place>",
    "/dashboard",
    "/alerts",
    "/workers",
    "/account",
)
LONGEST_NAME = 200
FOR_EVER = "public, max-age=31536000, immutable"


def serve_page(app: Flask, built: BuiltPage) -> None:
    """Serve this page, also where a browser asks for an address that there is not: the page says so itself."""
    app.extensions["perdure_page"] = built
    app.register_blueprint(bp)
    app.register_error_handler(NotFound, _nothing_here)


@requires(Role.VIEWER)
@page
def show(place: str = "") -> Response | str:
    """Answer the page; where none was built, the list of what the API answers to."""
    index = _built().index()
    return front_page(page_is_missing=True) if index is None else _document(index)


bp.add_url_rule("/", "front", show)
for address in ADDRESSES:
    bp.add_url_rule(address, view_func=show)


@bp.get("/static/app/assets/<name>")
@public
def asset(name: str) -> Response:
    """Answer a file of the page, compressed as it was when the page was built."""
    if len(name) > LONGEST_NAME:
        raise NotFound  # asking the file system for one of more than 255 characters is an error
    folder = _built().assets
    takes_gzip = request.accept_encodings.quality("gzip") > 0
    is_packed = takes_gzip and not name.endswith(".gz") and (folder / f"{name}.gz").is_file()
    answer = send_from_directory(
        folder,
        f"{name}.gz" if is_packed else name,
        mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream",
    )
    if is_packed:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


def _built() -> BuiltPage:
    return cast(BuiltPage, current_app.extensions["perdure_page"])


def _document(index: bytes) -> Response:
    answer = Response(index, mimetype="text/html")
    # Asked for each time: it names the files of the newest build.
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _nothing_here(error: NotFound) -> Response:
    """A program gets a problem; so does a browser that asks for a file."""
    wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")
    index = _built().index() if wants_page and not request.path.startswith("/static/") else None
    if index is None:
        return http_error(error)
    answer = _document(index)
    answer.status_code = 404
    return answer
