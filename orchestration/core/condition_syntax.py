"""How a condition is written: tokens, the tree it becomes, and the parser. What it means is in conditions.py."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NoReturn

from orchestration.core.references import InvalidReference, Reference, parse_reference
from orchestration.errors import InvalidWorkflow
from schemas.json import Json

# What a person writes is bounded by schemas/workflow.py (500); a fallback adds a clause for each step it stands in for.
MAX_CHARS = 1_000_000
MAX_DEPTH = 24

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<reference>\{\{[ \t]*[A-Za-z0-9_.\-]+[ \t]*\}\})
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
      | (?P<word>[A-Za-z_][A-Za-z0-9_\-]*(?:\.[A-Za-z0-9_\-]+)*)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<symbol>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_CONSTANTS: dict[str, Json] = {"true": True, "false": False, "null": None}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">=", "in", "not in"})


class InvalidCondition(InvalidWorkflow):
    """The condition cannot be read. `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(
            f"{message} (column {column})",
            mend="Use ==, !=, <, <=, >, >=, in, and, or, not, literals and references such as steps.scan.result.count.",
        )
        self.column = column


@dataclass(frozen=True)
class Literal:
    """A number, text, true, false, null, or a list of these."""

    value: Json


@dataclass(frozen=True)
class Compare:
    """Two operands and a comparison."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Not:
    """Negation."""

    operand: Node


@dataclass(frozen=True)
class Every:
    """All of the operands hold (`and`)."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Some:
    """One of the operands holds (`or`)."""

    operands: tuple[Node, ...]


Node = Literal | Reference | Compare | Not | Every | Some


def read_tree(text: str) -> tuple[Node, tuple[Reference, ...]]:
    """The tree of a condition and the references in it, in order.

    Raises: InvalidCondition with the column.
    """
    if len(text) > MAX_CHARS:
        raise InvalidCondition(f"a condition has at most {MAX_CHARS} characters, this one {len(text)}", MAX_CHARS + 1)
    parser = _Parser(_tokens(text), len(text) + 1)
    root = parser.disjunction(0)
    if parser.token.kind != "end":
        parser.refuse("expected 'and', 'or' or the end")
    return root, tuple(parser.references)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidCondition(_why_unreadable(text, position), position + 1)
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, match[0], position + 1))
        position = match.end()
    return tokens


def _why_unreadable(text: str, position: int) -> str:
    character = text[position]
    if character in "\"'":
        return "the text has no closing quote"
    if character == "=":
        return "a single '=' means nothing here; compare with '=='"
    if text.startswith("{{", position):
        return "malformed reference"
    return f"unexpected {character!r}"


class _Parser:
    """Recursive descent; every level of nesting is counted, so the text cannot exhaust the stack."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self.tokens = [*tokens, _Token("end", "", end)]
        self.position = 0
        self.references: list[Reference] = []

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def refuse(self, message: str) -> NoReturn:
        found = f"; found {self.token.text[:30]!r}" if self.token.text else ""
        raise InvalidCondition(message + found, self.token.column)

    def take(self, *texts: str) -> bool:
        if self.token.kind in ("word", "symbol") and self.token.text in texts:
            self.position += 1
            return True
        return False

    def disjunction(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.refuse(f"nested deeper than {MAX_DEPTH} levels")
        operands = [self.conjunction(depth)]
        while self.take("or"):
            operands.append(self.conjunction(depth))
        return operands[0] if len(operands) == 1 else Some(tuple(operands))

    def conjunction(self, depth: int) -> Node:
        operands = [self.negation(depth)]
        while self.take("and"):
            operands.append(self.negation(depth))
        return operands[0] if len(operands) == 1 else Every(tuple(operands))

    def negation(self, depth: int) -> Node:
        flips = 0
        while self.take("not"):
            flips += 1
        operand = self.comparison(depth)
        if flips % 2:
            return Not(operand)
        # An even number of `not` is the truth of a value, not the value.
        return Not(Not(operand)) if flips else operand

    def comparison(self, depth: int) -> Node:
        left = self.operand(depth)
        operator = self.operator()
        if operator is None:
            return left
        node = Compare(operator, left, self.operand(depth))
        if self.token.text in _COMPARISONS and self.token.kind in ("word", "symbol"):
            self.refuse("comparisons cannot be chained; join them with 'and'")
        return node

    def operator(self) -> str | None:
        token = self.token
        if token.kind in ("word", "symbol") and token.text in _COMPARISONS:
            self.position += 1
            return token.text
        if token.kind == "word" and token.text == "not" and self.tokens[self.position + 1].text == "in":
            self.position += 2
            return "not in"
        return None

    def operand(self, depth: int) -> Node:
        if self.take("("):
            node = self.disjunction(depth + 1)
            if not self.take(")"):
                self.refuse("expected ')'")
            return node
        if self.take("["):
            return self.list_literal()
        if self.token.kind == "reference":
            return self.reference(self.token.text[2:-2].strip())
        if self.token.kind == "word" and self.token.text not in _CONSTANTS:
            if self.token.text in ("and", "or", "in", "not"):
                self.refuse("expected a value")
            return self.reference(self.token.text)
        return Literal(self.literal())

    def reference(self, path: str) -> Reference:
        try:
            reference = parse_reference(path)
        except InvalidReference as error:
            raise InvalidCondition(error.message, self.token.column) from error
        self.position += 1
        self.references.append(reference)
        return reference

    def list_literal(self) -> Literal:
        values: list[Json] = []
        while not self.take("]"):
            if values and not self.take(","):
                self.refuse("expected ',' or ']'")
            values.append(self.literal())
        return Literal(values)

    def literal(self) -> Json:
        token = self.token
        if token.kind == "string":
            value: Json = self.unquote(token)
        elif token.kind == "number":
            value = self.number(token)
        elif token.kind == "word" and token.text in _CONSTANTS:
            value = _CONSTANTS[token.text]
        else:
            self.refuse("expected a value")
        self.position += 1
        return value

    def number(self, token: _Token) -> int | float:
        if token.text.lstrip("-").isdecimal():
            return int(token.text)
        value = float(token.text)
        if not math.isfinite(value):
            self.refuse("the number is too large")
        return value

    def unquote(self, token: _Token) -> str:
        body = token.text[1:-1]
        for escape in _ESCAPE.finditer(body):
            if escape[1] not in _ESCAPES:
                raise InvalidCondition(f"unknown escape {escape[0]!r}", token.column + 1 + escape.start())
        return _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], body)
