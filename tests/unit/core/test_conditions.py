from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.core.conditions import MAX_CHARS, InvalidCondition, parse_condition
from orchestration.core.references import Reference
from orchestration.errors import InvalidWorkflow

SCOPE = {
    "params": {
        "mode": "fast",
        "limit": 10,
        "on": True,
        "off": False,
        "tags": ["a", "b"],
        "map": {"k": 1},
        "dash-ed": 1,
    },
    "steps": {
        "scan": {"status": "completed", "result": {"count": 3, "ok": True, "name": "it's", "list": [1, 2]}},
        "opt-1": {"status": "skipped", "result": None},
    },
    "run": {"id": "r1", "name": "nightly"},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("true", True),
        ("false", False),
        ("null", False),
        ("0", False),
        ("-1", True),
        ("''", False),
        ("'x'", True),
        ("[]", False),
        ("[0]", True),
        ("params.on", True),
        ("params.off", False),
        ("params.missing", False),
        ("params.map", True),
        ("params.mode == 'fast'", True),
        ('params.mode == "slow"', False),
        ("params.mode != 'slow'", True),
        ("{{ params.mode }} == 'fast'", True),
        ("{{params.limit}} >= 10.0", True),
        ("params.dash-ed == 1", True),
        ("steps.scan.result.count > 2 and steps.scan.result.ok", True),
        ("steps.scan.result.count > 5 or params.off", False),
        ("not params.off", True),
        ("not not params.mode == true", False),
        ("not not params.mode", True),
        ("(not not params.mode) == true", True),
        ("not (params.on and params.off)", True),
        ("params.off and params.on or params.on", True),
        ("params.off and (params.on or params.on)", False),
        ("(params.on or params.off) == true", True),
        ("params.mode in ['fast', 'full']", True),
        ("params.mode not in ['fast', 'full']", False),
        ("'a' in params.tags", True),
        ("1 in steps.scan.result.list", True),
        ("true in steps.scan.result.list", False),
        ("'as' in params.mode", True),
        ("'k' in params.map", True),
        ("1 in params.map", False),
        ("'a' in params.limit", False),
        ("'a' not in params.limit", True),
        ("steps.opt-1.status == 'skipped'", True),
        ("steps.opt-1.result.files == null", True),
        ("steps.absent.result == null", True),
        ("'a' < 'b'", True),
        ("'2' < 10", False),
        ("'2' >= 10", False),
        ("null < 1", False),
        ("true < 2", False),
        ("true == 1", False),
        ("1 == 1.0", True),
        ("1e3 == 1000", True),
        ("params.tags == ['a', 'b']", True),
        (r"steps.scan.result.name == 'it\'s'", True),
        ('steps.scan.result.name == "it\'s"', True),
        ("params.on\n  and params.mode", True),
        ("run.name == 'nightly'", True),
    ],
)
def test_condition_holds(text, holds):
    assert parse_condition(text).evaluate(SCOPE) is holds


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("   ", 4),
        ("params.x =", 10),
        ("params.x = 1", 10),
        ("params.x ==", 12),
        ("1 < 2 < 3", 7),
        ("(params.x", 10),
        ("params.x)", 9),
        ("params.x params.y", 10),
        ("and", 1),
        ("not", 4),
        ("foo == 1", 1),
        ("len(params.x)", 1),
        ("params.x | upper", 10),
        ("params.x + 1", 10),
        ("'open", 1),
        (r"'\q'", 2),
        ("[1, params.x]", 5),
        ("[1 2]", 4),
        ("[1", 3),
        ("1e999", 1),
        ("steps.a.output", 1),
        ("{{ params.x", 1),
        ("{{ bad }}", 1),
        ("params.x and", 13),
        ("params.__class__.x()", 19),
        ("x" * (MAX_CHARS + 1), MAX_CHARS + 1),
        ("(" * 30 + "1" + ")" * 30, 26),
    ],
)
def test_unreadable_condition_is_refused_with_its_column(text, column):
    with pytest.raises(InvalidCondition) as caught:
        parse_condition(text)
    assert caught.value.column == column
    assert isinstance(caught.value, InvalidWorkflow)
    assert f"column {column}" in caught.value.message


def test_references_are_listed_in_order():
    condition = parse_condition("steps.a.result.x > params.min and {{ steps.b.status }} == 'completed'")
    assert condition.references == (
        Reference("steps", "a", ("result", "x")),
        Reference("params", None, ("min",)),
        Reference("steps", "b", ("status",)),
    )
    assert condition.steps == {"a", "b"}


def test_many_nots_do_not_nest():
    assert parse_condition("not " * 124 + "1").evaluate({}) is True


operands = ["params.x", "steps.a.result.b", "{{ run.id }}", "1", "-2.5", "'t'", "true", "null", "[1,'a']"]
operators = ["(", ")", "and", "or", "not", "in", "not in", "==", "!=", "<", "<=", ">", ">=", ",", "[", "]"]
pieces = st.sampled_from(operands + operators)
texts = st.text(max_size=60) | st.lists(pieces, max_size=14).map(" ".join) | st.text("()[]'\"\\ not,", max_size=500)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
scopes = st.fixed_dictionaries(
    {
        "params": st.fixed_dictionaries({"x": json_values}) | st.just({}),
        "run": st.just({"id": "r"}),
        "steps": st.fixed_dictionaries({"a": st.fixed_dictionaries({"status": st.text(), "result": json_values})})
        | st.just({}),
    }
)


@settings(max_examples=400)
@given(texts, scopes)
@example("[" * 500, {})
@example("(" * 500, {})
def test_any_text_parses_or_is_refused_and_never_fails_to_evaluate(text, scope):
    try:
        condition = parse_condition(text)
    except InvalidCondition as error:
        column = error.column
    else:
        column = 1
        assert condition.evaluate(scope) in (True, False)
        assert condition.evaluate({}) in (True, False)
    assert 1 <= column <= len(text) + 1


@given(json_values, json_values)
def test_equality_is_symmetric(left, right):
    values = {"params": {"l": left, "r": right}}
    assert parse_condition("params.l == params.r").evaluate(values) == parse_condition("params.r == params.l").evaluate(
        values
    )
    assert parse_condition("params.l != params.r").evaluate(values) != parse_condition("params.l == params.r").evaluate(
        values
    )
