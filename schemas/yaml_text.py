"""Reads what people write in YAML, of which JSON is a part, as values of JSON. Safe for text that nobody checked."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, NodeEvent, ScalarEvent

from schemas.json import Json, JsonObject

MAX_DEPTH = 64
"""Levels of lists and objects within each other; more than any request may have."""
MAX_NUMBER_CHARS = 400
_PREFIX = "tag:yaml.org,2002:"
_JSON_TAGS = {_PREFIX + name for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge")}
# The parser in C is sixteen times as fast as the one in Python; installations from source may lack it.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """Text that is not YAML, or YAML with no form in JSON; line and column count from 1."""

    def __init__(self, detail: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {detail}")
        self.detail = detail
        self.line = line
        self.column = column


def read_workflow_text(text: str, *, max_values: int) -> JsonObject:
    """The workflow in a text; a list is taken for its steps. Raises: Unreadable."""
    found = read_yaml(text, max_values=max_values)
    if isinstance(found, list):
        return {"steps": found}
    if not isinstance(found, dict):
        raise Unreadable("a workflow is an object with `steps`, or the list of steps", 1, 1)
    return found


def read_yaml(text: str, *, max_values: int) -> Json:
    """The value in a text. A date stays the text that was written.

    `max_values` bounds how many texts, numbers, lists and objects there may be, with each alias counted as all it
    stands for: a few lines of aliases to aliases would else be gigabytes.

    Raises: Unreadable, also for keys that are repeated or no text.
    """
    if (char := yaml.reader.Reader.NON_PRINTABLE.search(text)) is not None:
        before = text[: char.start()]
        place = before.count("\n") + 1, char.start() - before.rfind("\n")
        raise Unreadable(f"this is not YAML or JSON: the character U+{ord(char.group()):04X} is not allowed", *place)
    try:
        _check_size(text, max_values)
        value: Json = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = (
            (error.context, error.problem)
            if str(error.problem).startswith("but ")
            else (error.problem or error.context,)
        )
        raise Unreadable(", ".join(map(str, said)), *_place(text, mark)) from error
    except yaml.YAMLError as error:
        raise Unreadable(f"this is not YAML or JSON: {error}", 1, 1) from error
    return value


def _check_size(text: str, max_values: int) -> None:
    """Go through the text once without building anything. Raises: yaml.MarkedYAMLError."""
    # What each anchor stands for, and the values so far when each collection that is still open began.
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    values = 0
    for event in yaml.parse(text, Loader=_Base):
        match event:
            case AliasEvent():
                if any(anchor == event.anchor for anchor, _ in opened):
                    raise _refusal("a value that holds itself has no form in JSON", event.start_mark)
                # An alias that nothing is named after is refused when it is loaded, in the library's words.
                values += sizes.get(str(event.anchor), 1)
            case ScalarEvent():
                values += 1
                if event.anchor is not None:
                    sizes[event.anchor] = 1
            case NodeEvent():
                opened.append((event.anchor, values))
                values += 1
                if len(opened) > MAX_DEPTH:
                    raise _refusal(f"it is nested more than {MAX_DEPTH} levels deep", event.start_mark)
            case CollectionEndEvent():
                anchor, before = opened.pop()
                if anchor is not None:
                    sizes[anchor] = values - before
        if values > max_values:
            raise _refusal(f"more than {max_values} values are too many to read", event.start_mark)


def _refusal(detail: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, detail, mark)


def _place(text: str, mark: Any) -> tuple[int, int]:
    """Line and column from 1. The end of the text is within its last line, also where the parser counts one more."""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text.rstrip("\n"))
    if mark is None:
        return 1, 1
    return (mark.line + 1, mark.column + 1) if mark.line < len(lines) else (len(lines), len(lines[-1]) + 1)


class _Loader(_Base):  # type: ignore[misc]
    """YAML as JSON knows it: a date stays the text that was written, and a key that is repeated is refused."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _value in node.value:
            if key.tag == _PREFIX + "merge":
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                shown = f"the key {key.value!r}" if isinstance(key, yaml.ScalarNode) else "this key"
                raise _refusal(f"{shown} is no text; put it in quotation marks", key.start_mark)
            if name in seen:
                raise _refusal(f"the key {name!r} is repeated", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)  # type: ignore[no-any-return]

    def checked(self, node: Any) -> int | float | bool:
        """A number, or yes and no, that may have been named so by a tag before something else."""
        # Numbers of many digits, and those to the base of 60, take as long as the square of their length.
        if len(node.value) > MAX_NUMBER_CHARS:
            raise _refusal(f"a number of {len(node.value)} characters; write it as a text", node.start_mark)
        kind = node.tag.removeprefix(_PREFIX)
        read = {"int": self.construct_yaml_int, "float": self.construct_yaml_float, "bool": self.construct_yaml_bool}[
            kind
        ]
        try:
            value: int | float | bool = read(node)
        except (ValueError, LookupError) as error:
            raise _refusal(f"{node.value!r} is no {kind}", node.start_mark) from error
        if not math.isfinite(value):
            raise _refusal(f"{node.value} has no form in JSON", node.start_mark)
        return value


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _JSON_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# What JSON has no form for, such as bytes and sets, is refused by the library with its place.
_Loader.yaml_constructors = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag is None or tag in _JSON_TAGS
} | dict.fromkeys((_PREFIX + "int", _PREFIX + "float", _PREFIX + "bool"), _Loader.checked)
