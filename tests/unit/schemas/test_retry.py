"""What may be said of retries and fallbacks, and what stays as it was written before."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.retry import FallbackPolicy, OnFailure, RetryPolicy

ON_FAILURE: TypeAdapter[OnFailure] = TypeAdapter(OnFailure)
OLD = {"max_attempts": 5, "base_delay_s": 2.0, "max_delay_s": 60.0, "jitter": 0.5}


@pytest.mark.parametrize(
    "sent",
    [
        "fail",
        "continue",
        {"fallback": {"step": "b"}},
        {"fallback": {"value": None}},
        {"fallback": {"value": {"n": [1]}}},
        {"fallback": {"step": None, "value": 1}},
    ],
)
def test_what_was_written_before_is_read_and_written_as_it_was(sent: Any) -> None:
    policy = ON_FAILURE.validate_python(sent)
    assert ON_FAILURE.dump_python(policy, mode="json", exclude_unset=True) == sent
    if isinstance(policy, FallbackPolicy):
        assert not policy.remembers


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ({}, "one of"),
        ({"step": "b", "value": 1}, "one of"),
        ({"cached": True, "action": "work"}, "one of"),
        ({"cached": False}, "True"),
        ({"step": None}, "one of"),
        ({"step": "b", "params": {"x": 1}}, "belong to 'action'"),
        ({"value": 1, "key": "x"}, "belong to 'action'"),
        ({"value": 1, "max_age_s": 60}, "belong to 'cached'"),
        ({"step": "b", "of": "a"}, "belong to 'cached'"),
        ([], "at least 1"),
        ([{"action": "work"}] * 9, "at most 8"),
        ([{"value": 1}, {"step": "b"}], "put it last"),
        ([{"cached": True}, {"step": "b"}, {"cached": True}], "twice"),
    ],
)
def test_a_fallback_that_means_nothing_is_refused_in_words(fallback: Any, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ON_FAILURE.validate_python({"fallback": fallback})
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "more",
    [
        {"on": {"": {}}},
        {"on": {"a b": {}}},
        {"on": {f"e{n}": {} for n in range(21)}},
        {"on": {"e": {"jitter": 0}}},
        {"on": {"e": {"max_attempts": 0}}},
        {"budget_s": 0},
        {"strategy": "none"},
    ],
)
def test_a_policy_that_is_out_of_bounds_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy.model_validate(OLD | more)


def test_workers_of_the_release_before_can_read_what_they_know() -> None:
    assert RetryPolicy.model_validate(OLD).stored() == OLD
    more = {"strategy": "full", "budget_s": 60.0, "on": {"http.5": {"max_attempts": 9}}}
    stored = RetryPolicy.model_validate(OLD | more).stored()
    assert stored == OLD | more
    assert RetryPolicy.model_validate(stored) == RetryPolicy.model_validate(OLD | more)


def test_equal_policies_have_equal_hashes_in_whatever_order_their_rules_are() -> None:
    rules = {"a": {"retry": False}, "b": {"max_attempts": 2}}
    one, other = (RetryPolicy.model_validate({"on": dict(items)}) for items in (rules.items(), reversed(rules.items())))
    assert (one, hash(one)) == (other, hash(other))
    assert len({one, other, RetryPolicy()}) == 2
