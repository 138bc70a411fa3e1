"""Request bodies: JSON, strictly, and only text that can be stored."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from api.refusal import Refusal
from api.validation import pointer
from schemas.json import Json

MAX_DEPTH = 64
# Only a body with one of these can hold a NUL or half a surrogate pair.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


class JsonRequest(Request):
    """A request whose body, if any, is a JSON object or list. No body reads as `{}`."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body. Raises: Refusal, whatever `silent` says: 415 for another type, 400 for what is not JSON."""
        if "perdure.json" not in self.environ:
            self.environ["perdure.json"] = self._read()
        return self.environ["perdure.json"]

    def _read(self) -> Json:
        data = self.get_data(cache=True)
        if not data:
            return {}
        if self.content_length is None and len(data) >= (self.max_content_length or len(data) + 1):
            # A body sent in chunks is cut at the limit without an error.
            raise RequestEntityTooLarge
        if not self.is_json:
            raise Refusal(
                415,
                "unsupported_media_type",
                "the body must be JSON",
                mend="send it with 'Content-Type: application/json'",
                headers={"Accept": "application/json"},
            )
        value = _parse(data)
        if not isinstance(value, dict | list):
            raise _malformed("the body must be a JSON object", mend="send an object such as {}")
        _check_depth(value)
        if _SUSPECT.search(data):
            _check_text(value)
        return value


def _parse(data: bytes) -> Json:
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8", mend="send the body as UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"{error.msg}: {place}", where=place) from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        # A number of thousands of digits, or NaN and Infinity, which JSON does not have.
        raise _malformed("a number cannot be read", mend="send finite numbers of fewer digits") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _check_text(value: Json, path: tuple[int | str, ...] = ()) -> None:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise _malformed(
                "the text holds a NUL or half a surrogate pair, which cannot be stored",
                where=pointer(path),
                mend="leave the character out",
            )
    elif isinstance(value, dict):
        for key, child in value.items():
            _check_text(key, path)
            _check_text(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _check_text(child, (*path, index))


def _malformed(detail: str, *, where: str = "", mend: str = "send valid JSON") -> Refusal:
    return Refusal(400, "malformed_json", detail, where=where, mend=mend)


def _too_deep() -> Refusal:
    return _malformed(f"the body is nested more than {MAX_DEPTH} levels deep", mend="send a flatter document")
