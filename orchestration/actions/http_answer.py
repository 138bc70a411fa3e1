"""The answer to an HTTP request as a step's result: small enough to be stored, and saying what was cut."""

from __future__ import annotations

import json

import requests

from orchestration.core.storable import size_bytes, storable, storable_text
from orchestration.errors import TooLarge
from schemas.json import Json, JsonObject

MAX_BODY_BYTES = 256 * 1024
MAX_HEADERS = 60
MAX_HEADER_CHARS = 500

# A result holds 256 KiB with everything in it; escapes can make a body longer as JSON than it was on the wire.
_MAX_BODY_JSON_BYTES = 216 * 1024


def answer_from(response: requests.Response) -> JsonObject:
    """Read the body, up to its limit, and describe the answer. Cookies are left out.

    Raises: what requests raises when the connection breaks.
    """
    data = bytearray()
    for chunk in response.iter_content(16 * 1024):
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            break
    body, cut = _body(bytes(data), response)
    headers = {
        name.lower(): storable_text(value, MAX_HEADER_CHARS)
        for name, value in list(response.headers.items())[:MAX_HEADERS]
        if name.lower() not in ("set-cookie", "set-cookie2")
    }
    return {"status": response.status_code, "url": str(response.url), "headers": headers, "body": body, "cut": cut}


def _body(data: bytes, response: requests.Response) -> tuple[Json, bool]:
    """The parsed JSON where the answer is JSON and whole, else text; and whether something is missing."""
    media_type = response.headers.get("content-type", "").lower()
    if len(data) <= MAX_BODY_BYTES and ("/json" in media_type or "+json" in media_type):
        try:
            return storable(json.loads(data), max_bytes=_MAX_BODY_JSON_BYTES), False
        except (ValueError, RecursionError, TooLarge):
            pass
    text = _decoded(data[:MAX_BODY_BYTES], media_type)
    kept = storable_text(text, MAX_BODY_BYTES)
    while (size := size_bytes(kept)) > _MAX_BODY_JSON_BYTES:
        kept = kept[: int(len(kept) * 0.99 * _MAX_BODY_JSON_BYTES / size)]
    cut = len(data) > MAX_BODY_BYTES or len(kept) < len(text)
    total = response.headers.get("content-length", "")
    size_note = f" of {total} bytes" if total.isdecimal() and "content-encoding" not in response.headers else ""
    return (f"{kept}\n[cut: the first {len(kept)} characters{size_note}]" if cut else kept), cut


def _decoded(data: bytes, media_type: str) -> str:
    charset = media_type.partition("charset=")[2].partition(";")[0].strip("\"' ") or "utf-8"
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
