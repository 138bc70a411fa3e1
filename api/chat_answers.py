"""Answers of `/api/chat/*`: models as JSON, those that are asked for again and again with an ETag."""

from __future__ import annotations

from hashlib import sha256

from flask import Response, request
from pydantic import BaseModel


def answer_with(model: BaseModel, status: int = 200) -> Response:
    """The model as it is."""
    return Response(model.model_dump_json(), status, mimetype="application/json")


def answer_polled(model: BaseModel) -> Response:
    """The model with an ETag; 304 for one that is known."""
    answer = answer_with(model)
    answer.set_etag(sha256(answer.get_data()).hexdigest()[:32], weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer
