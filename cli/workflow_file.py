"""Read a workflow, or parameters, as a user wrote them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from schemas.json import Json, JsonObject
from schemas.yaml_text import Unreadable, read_workflow_text, read_yaml

MAX_BYTES = 16 * 1024**2
MAX_VALUES = 2_000_000


class BadInput(Exception):
    """What the user gave cannot be read; the message says where and why."""


def read_workflow(name: str) -> JsonObject:
    """The workflow in a YAML or JSON file; `-` is the standard input. A list is taken for its steps.

    Raises: BadInput.
    """
    text = _read(name)
    try:
        return read_workflow_text(text, max_values=MAX_VALUES)
    except Unreadable as error:
        raise BadInput(f"{name}, {error}") from error


def read_object(text: str, option: str) -> JsonObject:
    """An object given on the command line as JSON, or as `@FILE`. Raises: BadInput."""
    if text.startswith("@"):
        name = text[1:]
        try:
            found = read_yaml(_read(name), max_values=MAX_VALUES)
        except Unreadable as error:
            raise BadInput(f"{name}, {error}") from error
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


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else _read_file(Path(name))
        if len(data) > MAX_BYTES:
            raise BadInput(f"{name} is over {MAX_BYTES // 1024**2} MiB")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: byte {error.start} is not UTF-8") from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _check_json(value: Json, name: str) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"{name}: a value has no form in JSON: {error}") from error
