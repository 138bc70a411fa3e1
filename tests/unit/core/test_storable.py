from __future__ import annotations

import dataclasses
import json
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestration.core.storable import clip, size_bytes, storable, storable_text
from orchestration.errors import TooLarge

MIB = 1024 * 1024


class Colour(Enum):
    RED = "red"


class Word(StrEnum):
    ONE = "one"


class Model(BaseModel):
    when: datetime
    tags: set[int]


@dataclasses.dataclass
class Point:
    x: float
    inner: Any


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        ("a\0b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        (float("nan"), None),
        (float("-inf"), None),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({"x"}), ["x"]),
        (deque([1]), [1]),
        (MOMENT, "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (timedelta(minutes=1), 60.0),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 2), 0.5),
        (Colour.RED, "red"),
        (Word.ONE, "one"),
        (PurePosixPath("/a/b"), "/a/b"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"text", "text"),
        (b"\xff\xfe", "base64://4="),
        (bytearray(b"x"), "x"),
        (2**70, 2**70),
        (2**2000, str(2**2000)),
        (Model(when=MOMENT, tags={1}), {"when": "2026-01-02T03:04:05+00:00", "tags": [1]}),
        (Point(1.5, Colour.RED), {"x": 1.5, "inner": "red"}),
        (ValueError("why"), "why"),
        (Unprintable(), "<Unprintable>"),
        (OrderedDict(a=1), {"a": 1}),
        (
            {None: "b", True: "c", Colour.RED: "d", (1, 2): "e"},
            {"true": "c", "null": "b", "red": "d", "(1, 2)": "e"},
        ),
        ({"a\0": 1}, {"a\ufffd": 1}),
    ],
)
def test_value_becomes_what_json_can_hold(value, stored):
    assert storable(value, max_bytes=MIB) == stored


def test_whole_number_too_long_to_print_says_its_size():
    assert storable(1 << 100_000, max_bytes=100) == "[a whole number of 100001 bits]"


def test_strings_are_plain_strings():
    assert type(storable(Word.ONE, max_bytes=100)) is str


def test_value_that_holds_itself_is_cut_with_a_notice():
    loop: list[Any] = []
    loop.append(loop)
    text = json.dumps(storable(loop, max_bytes=MIB))
    assert "nested deeper than 32 levels" in text


def test_value_that_unfolds_without_end_is_refused_early():
    value: Any = "x"
    for _ in range(31):
        value = [value] * 10
    with pytest.raises(TooLarge):
        storable(value, max_bytes=256 * 1024)


def test_size_is_counted_in_utf8_with_escapes():
    assert storable("é" * 4, max_bytes=10) == "é" * 4
    with pytest.raises(TooLarge):
        storable("é" * 5, max_bytes=10)
    with pytest.raises(TooLarge, match="9 bytes"):
        storable("\n" * 4, max_bytes=9)


def test_text_is_cleaned_and_cut_with_a_notice():
    assert storable_text("a\0b", 10) == "a\ufffdb"
    cut = storable_text("x" * 100, 40)
    assert len(cut) == 40
    assert cut.endswith("[cut: 100 characters]")
    assert storable_text("x" * 100, 3) == "xxx"


def test_clip_keeps_small_values_as_they_are():
    value = {"a": [1, 2]}
    assert clip(value, 100) == (value, False)


def test_clip_keeps_the_shape_and_says_what_is_missing():
    value = {"message": "done", "log": "x" * 10_000, "rows": list(range(5000))}
    clipped, cut = clip(value, 2000)
    assert cut
    assert clipped["message"] == "done"
    assert "cut: 10000 characters" in clipped["log"]
    assert clipped["rows"][-1].startswith("[cut:")
    assert size_bytes(clipped) <= 2000


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "Cc", "Lu"]))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([Colour.RED, Word.ONE, PurePosixPath("x"), Unprintable(), object, object(), 1j])
)
hashable = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.sets(hashable)
        | st.dictionaries(hashable, inner)
        | st.builds(Point, st.floats(), inner)
    ),
    max_leaves=25,
)


@given(anything)
def test_anything_becomes_json_that_encodes(value):
    stored = storable(value, max_bytes=MIB)
    text = json.dumps(stored, allow_nan=False, ensure_ascii=False)
    assert "\0" not in text
    text.encode()
    assert "\\u0000" not in json.dumps(stored)
    assert json.loads(text) == stored


@given(anything)
def test_storing_twice_changes_nothing(value):
    stored = storable(value, max_bytes=MIB)
    assert storable(stored, max_bytes=MIB) == stored


@given(anything, st.integers(0, 300))
def test_limit_holds_or_is_refused(value, limit):
    try:
        stored = storable(value, max_bytes=limit)
    except TooLarge:
        stored = None
    assert size_bytes(stored) <= max(limit, 4)


@given(anything, st.integers(4, 2000))
def test_clip_always_fits(value, limit):
    stored = storable(value, max_bytes=MIB)
    clipped, cut = clip(stored, limit)
    assert size_bytes(clipped) <= limit
    assert cut == (size_bytes(stored) > limit)


@given(st.text(st.characters()), st.integers(0, 60))
def test_text_always_fits_and_encodes(text, limit):
    stored = storable_text(text, limit)
    assert len(stored) <= limit
    assert "\0" not in stored
    stored.encode()
