"""The `when` condition of a step: comparison, and/or/not, `in`, literals and references. No calls, no filters.

    steps.scan.result.count > 0 and params.mode in ['fast', 'full']

Evaluating never fails: a path that leads nowhere reads null, and `<` between things that have no order is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.core.condition_syntax import (
    MAX_CHARS,
    Compare,
    Every,
    InvalidCondition,
    Literal,
    Node,
    Not,
    Some,
    read_tree,
)
from orchestration.core.references import Reference, UnresolvedReference, look_up
from schemas.json import Json

__all__ = ["MAX_CHARS", "Condition", "InvalidCondition", "parse_condition"]


@dataclass(frozen=True)
class Condition:
    """A condition that was read. `references` are what it reads, in order."""

    text: str
    root: Node
    references: tuple[Reference, ...]

    @property
    def steps(self) -> frozenset[str]:
        """Keys of the steps it reads."""
        return frozenset(reference.step_key for reference in self.references if reference.step_key is not None)

    def evaluate(self, scope: Mapping[str, Json]) -> bool:
        """Whether the condition holds. Null, false, 0, and empty text, lists and maps do not hold."""
        return bool(_value(self.root, scope))


def parse_condition(text: str) -> Condition:
    """Read a condition.

    Raises: InvalidCondition with the column.
    """
    root, references = read_tree(text)
    return Condition(text, root, references)


def _value(node: Node, scope: Mapping[str, Json]) -> Json:
    match node:
        case Literal(value):
            return value
        case Reference():
            try:
                return look_up(node, scope)
            except UnresolvedReference:
                return None
        case Not(operand):
            return not _value(operand, scope)
        case Every(operands):
            return all(_value(operand, scope) for operand in operands)
        case Some(operands):
            return any(_value(operand, scope) for operand in operands)
        case Compare(operator, left, right):
            return _compare(operator, _value(left, scope), _value(right, scope))


def _compare(operator: str, left: Json, right: Json) -> bool:
    match operator:
        case "==":
            return _equal(left, right)
        case "!=":
            return not _equal(left, right)
        case "in":
            return _contains(right, left)
        case "not in":
            return not _contains(right, left)
    if not ((_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str))):
        return False
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def _equal(left: Json, right: Json) -> bool:
    # In JSON true is not 1.
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    try:
        return bool(left == right)
    except RecursionError:
        return False


def _contains(whole: Json, part: Json) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    if isinstance(whole, Mapping):
        return isinstance(part, str) and part in whole
    return isinstance(whole, list | tuple) and any(_equal(item, part) for item in whole)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
