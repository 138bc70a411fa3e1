"""Read a workflow, or parameters, as a user wrote them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from schemas.json import Json, JsonObject

MAX_BYTES = 16 * 1024**2


class BadInput(Exception):
    """What the user gave cannot be read; the message says where and why."""


def read_workflow(name: str) -> JsonObject:
    """The workflow in a YAML or JSON file; `-` is the standard input. A list is taken for its steps.

    Raises: BadInput.
    """
    found = _read(name)
    if isinstance(found, list):
        found = {"steps": found}
    if not isinstance(found, dict):
        raise BadInput(f"{name}: a workflow is an object with `steps`")
    _check_json(found, name)
    return found


def read_object(text: str, option: str) -> JsonObject:
    """An object given on the command line as JSON, or as `@FILE`. Raises: BadInput."""
    if text.startswith("@"):
        found = _read(text[1:])
    else:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise BadInput(f"{option}: this is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f'{option}: give a JSON object such as {{"name": 1}}')
    _check_json(found, option)
    return found


def read_params(given: list[str]) -> JsonObject:
    """Parameters given as NAME=VALUE; a value that is JSON is taken as that, any other as text. Raises: BadInput."""
    params: JsonObject = {}
    for text in given:
        name, is_given, value = text.partition("=")
        if not name or not is_given:
            raise BadInput(f"--param {text}: write it as NAME=VALUE")
        try:
            params[name] = json.loads(value)
        except ValueError:
            params[name] = value
    _check_json(params, "--param")
    return params


def _read(name: str) -> Json:
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else _read_file(Path(name))
        if len(data) > MAX_BYTES:
            raise BadInput(f"{name} is over {MAX_BYTES // 1024**2} MiB")
        return yaml.load(data.decode("utf-8-sig"), Loader=_Loader)  # JSON is YAML too
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: byte {error.start} is not UTF-8") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
        raise BadInput(f"{name}{place}: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{name}: this is not YAML or JSON: {error}") from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _check_json(value: Json, name: str) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"{name}: a value has no form in JSON: {error}") from error


class _Loader(yaml.SafeLoader):
    """YAML as JSON knows it: a date stays the text that was written, and a key that is repeated is refused."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _value in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is no text; put it in quotation marks", key.start_mark
                )
            if name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {name!r} is repeated", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
