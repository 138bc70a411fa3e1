"""Make docs/configuration.md from the settings' fields: `python -m cli.configuration > docs/configuration.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config_file import SECTIONS, VALUES, WORKFLOW_SECTION
from settings import GROUPS, variable_of

UNITS = {"_s": "seconds", "_ms": "milliseconds", "_bytes": "bytes", "_days": "days", "_steps": "steps"}

HEAD = """\
# Configuration

Made from `settings.py` by `make docs`; do not edit. Every setting is an environment variable. Some can also stand in a
YAML file that `PERDURE_CONFIG` names; the environment wins over the file. A value that is not allowed stops the process
at its start with one sentence. Lists have commas between their words.

```yaml
{example}```

The file has also, by the names of their settings in small letters: {sections}.
An unknown word in it stops the process, but for words that begin with `x-`, which are left alone. The default of a list
or text shown as `-` is empty.
"""


def configuration_page() -> str:
    """The text of docs/configuration.md."""
    lines = [HEAD.format(example=_example(), sections=_sections())]
    for group in GROUPS:
        lines += [f"## {group.__name__}", "", str(group.__doc__), ""]
        lines += ["| variable | type | default | meaning |", "| --- | --- | --- | --- |"]
        for name in group.__annotations__:
            if name in group.model_fields:
                lines.append(_row(name, group.model_fields[name]))
        lines.append("")
    return "\n".join(lines)


def _example() -> str:
    fields = {name: field for group in GROUPS for name, field in group.model_fields.items()}
    lines = ["workflow:"]
    for word, name in WORKFLOW_SECTION.items():
        default = fields[name].default
        shown = {None: "null", True: "true", False: "false"}.get(default, default)
        lines.append(f"  {word}: {shown}")
    return "\n".join([*lines, "actions:", "  ssh.install_custom_nodes:", "    concurrency: 2", ""])


def _sections() -> str:
    return ", ".join(f"`{name}`" for name in (*SECTIONS, *VALUES))


def _row(name: str, field: FieldInfo) -> str:
    meaning = str(field.description)
    file_word = next((word for word, target in WORKFLOW_SECTION.items() if target == name), None)
    if file_word is not None:
        meaning += f" (file: `workflow.{file_word}`)"
    cells = [f"`{variable_of(name, field)}`", _type(name, field), _default(field), meaning]
    return "| " + " | ".join(cells) + " |"


def _type(name: str, field: FieldInfo) -> str:
    unit = next((word for suffix, word in UNITS.items() if name.endswith(suffix)), "")
    bounds = {
        bound: getattr(rule, bound) for rule in field.metadata for bound in ("gt", "ge", "le") if hasattr(rule, bound)
    }
    allowed = ""
    if "gt" in bounds:
        allowed += f" above {_number(bounds['gt'])}"
    elif "ge" in bounds:
        allowed += f" from {_number(bounds['ge'])}"
    if "le" in bounds:
        allowed += f" to {_number(bounds['le'])}"
    return f"{_type_word(field.annotation)}{allowed}{f', {unit}' if unit else ''}"


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _type_word(annotation: Any) -> str:
    words = {bool: "0 or 1", int: "integer", float: "number", str: "text", Path: "path"}
    if annotation in words:
        return words[annotation]
    if get_origin(annotation) is tuple:
        return "list"
    if get_origin(annotation) is dict:
        return "mapping"
    inner = [word for word in get_args(annotation) if word is not type(None)]
    return " \\| ".join(words.get(word, str(word)) for word in inner)


def _default(field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return "see there"
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, tuple):
        default = ",".join(default)
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`" if default not in (None, "") else "-"


if __name__ == "__main__":
    sys.stdout.write(configuration_page())
