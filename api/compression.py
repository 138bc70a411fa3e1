"""Large JSON answers are sent compressed to clients that take gzip."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

# Below this, compressing costs more than it saves.
LEAST_BYTES = 2048
# Level 5 is within a few percent of 9 in size, at a third of the time.
LEVEL = 5


def compress_answers(app: Flask) -> None:
    """Compress what is JSON and large enough."""

    @app.after_request
    def compress(response: Response) -> Response:
        """Its ETag is weak, so it names the compressed form as well."""
        response.vary.add("Accept-Encoding")
        if (
            response.is_streamed
            or response.status_code == 304
            or "Content-Encoding" in response.headers
            or not (response.mimetype or "").endswith("json")
            or not request.accept_encodings.quality("gzip")
            or (response.content_length or 0) < LEAST_BYTES
        ):
            return response
        response.set_data(compressed(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
        return response


def compressed(body: bytes) -> bytes:
    """A body as it is sent to clients that take gzip."""
    return gzip.compress(body, LEVEL, mtime=0)
