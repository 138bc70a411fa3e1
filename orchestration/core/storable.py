"""Makes what an action emits storable in PostgreSQL's jsonb and sendable as JSON, within a size.

Neither takes NUL, lone surrogates, NaN or infinity; and an action may hand over anything Python has.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import numbers
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from orchestration.errors import TooLarge
from schemas.json import Json

MAX_DEPTH = 32
REPLACEMENT = "\ufffd"

# Beyond this many bits a whole number reads as infinity in every client that keeps numbers as doubles.
_MAX_INT_BITS = 1023
_MAX_UNKNOWN_CHARS = 1000
# Each round of `clip`: characters kept of a text, entries kept of a list or map, levels kept.
_CLIP_ROUNDS = ((2000, 200, 16), (500, 50, 8), (120, 20, 5), (60, 8, 3), (30, 4, 2))


# Kept, since `json.dumps` makes a new encoder for each call that wants anything but the defaults.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def storable(value: Any, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Json:
    """`value` as JSON that PostgreSQL and every client can hold; the value itself is not changed.

    NaN and infinity become null; dates ISO text; sets, tuples and dataclasses what they look like in JSON; bytes text,
    or `base64:...` if they are none; anything unknown its `str`. What is nested deeper than `max_depth` is cut with a
    notice, so a value that holds itself is safe.
    Raises: TooLarge when the JSON takes more than `max_bytes` in UTF-8; found early, so a huge value costs little.
    """
    converted = _Converter(max_bytes, max_depth).convert(value, 0)
    if size_bytes(converted) > max_bytes:
        raise _too_large(max_bytes)
    return converted


def storable_text(text: str, max_chars: int) -> str:
    """`text` without what cannot be stored, cut to `max_chars` with a notice of how much is missing."""
    return _cut_text(_clean(text), max_chars)


def clip(value: Json, max_bytes: int) -> tuple[Json, bool]:
    """`value`, which is storable, cut to fit `max_bytes` of JSON, and whether anything was cut.

    Long texts, long lists and deep levels go first; what was cut says so. Null when nothing else fits.
    """
    if size_bytes(value) <= max_bytes:
        return value, False
    for max_chars, max_entries, max_depth in _CLIP_ROUNDS:
        smaller = _shrink(value, max_chars, max_entries, max_depth)
        if size_bytes(smaller) <= max_bytes:
            return smaller, True
    notice = "[cut: too large]"
    return (notice if size_bytes(notice) <= max_bytes else None), True


def size_bytes(value: Json) -> int:
    """How many bytes the compact JSON of a storable value takes in UTF-8."""
    return len(json_text(value).encode())


def json_text(value: Json) -> str:
    """Compact JSON of a storable value. Raises: ValueError for NaN and infinity."""
    return _encode(value)


class _Converter:
    """One conversion. `left` counts down what the JSON takes at least: a value that unfolds without end stops."""

    def __init__(self, max_bytes: int, max_depth: int) -> None:
        self.max_bytes = max_bytes
        self.max_depth = max_depth
        self.left = max_bytes

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _too_large(self.max_bytes)

    def convert(self, value: Any, depth: int) -> Json:
        plain = _plain(value)
        if isinstance(plain, str):
            self.spend(len(plain) + 2)
            return plain
        if plain is None or isinstance(plain, bool | int | float):
            self.spend(1)
            return plain
        self.spend(2)
        if depth >= self.max_depth:
            return f"[cut: nested deeper than {self.max_depth} levels]"
        if isinstance(plain, Mapping):
            return {self.key(key): self.convert(inner, depth + 1) for key, inner in list(plain.items())}
        return [self.convert(inner, depth + 1) for inner in list(plain)]

    def key(self, key: Any) -> str:
        plain = _plain(key)
        text = plain if isinstance(plain, str) else _clean(_key_text(plain))
        self.spend(len(text) + 3)
        return text


def _plain(value: Any) -> Any:
    """A JSON scalar, a mapping, or a list, tuple or set whose contents are still to be converted."""
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value)
        case str():
            return _clean(value)
        case int():
            return _whole(int(value))
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping() | list() | tuple() | AbstractSet() | deque():
            return value
        case BaseModel():
            return {name: getattr(value, name, None) for name in type(value).model_fields} | (value.model_extra or {})
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | PurePath():
            return _clean(str(value))
        case bytes() | bytearray() | memoryview():
            return _bytes_text(bytes(value))
        case numbers.Integral():
            return _whole(int(value))
        case numbers.Real():
            return _plain(float(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    return _unknown(value)


def _whole(value: int) -> int | str:
    if value.bit_length() <= _MAX_INT_BITS:
        return value
    # Python itself refuses to print more than 4,300 digits, about 14,000 bits.
    return str(value) if value.bit_length() <= 10_000 else f"[a whole number of {value.bit_length()} bits]"


def _bytes_text(value: bytes) -> str:
    try:
        return _clean(value.decode())
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode("ascii")


def _unknown(value: Any) -> str:
    try:
        text = str(value)
    except Exception:
        # Whatever an author's __str__ raises, the value has a type.
        text = f"<{type(value).__qualname__}>"
    return storable_text(text, _MAX_UNKNOWN_CHARS)


def _key_text(key: Any) -> str:
    if isinstance(key, bool | int | float) or key is None:
        return json.dumps(key)
    return _unknown(key)


def _clean(text: str) -> str:
    """The text as a plain `str` without NUL and lone surrogates; surrogate pairs become the character they mean."""
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text if type(text) is str else str.__str__(text)


def _cut_text(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    notice = f"… [cut: {len(text)} characters]"
    kept = max_chars - len(notice)
    return text[:kept] + notice if kept > 0 else text[:max_chars]


def _shrink(value: Json, max_chars: int, max_entries: int, depth: int) -> Json:
    if isinstance(value, str):
        return _cut_text(value, max_chars)
    if not isinstance(value, dict | list):
        return value
    more = len(value) - max_entries
    if not value or depth == 0:
        return f"[cut: {len(value)} entries]" if value else value
    if isinstance(value, dict):
        kept = {
            _cut_text(key, max_chars): _shrink(inner, max_chars, max_entries, depth - 1)
            for key, inner in list(value.items())[:max_entries]
        }
        return kept | ({"…": f"[cut: {more} more]"} if more > 0 else {})
    items = [_shrink(inner, max_chars, max_entries, depth - 1) for inner in value[:max_entries]]
    return [*items, f"[cut: {more} more]"] if more > 0 else items


def _too_large(max_bytes: int) -> TooLarge:
    limit = f"{max_bytes // 1024} KiB" if max_bytes >= 1024 else f"{max_bytes} bytes"
    return TooLarge(
        f"the value takes more than {limit} as JSON",
        mend="Keep large data in a file or object store and emit its name.",
    )
