"""`perdure actions`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client, Refused
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table
from schemas.json import JsonObject


def actions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="show this action and its parameters")] = None,
    as_json: AsJson = False,
) -> None:
    """List the actions that steps may name, or show one with its parameters.

    Example:
      perdure actions
      perdure actions demo.sleep
    """
    known = Client.find().get("/workflow/actions")["actions"]
    if name is not None:
        known = [action for action in known if action["name"] in (name, f"ssh.{name}")]
        if not known:
            raise Refused(404, {"detail": f"there is no action {name!r}", "mend": "`perdure actions` lists them"})
    if as_json:
        print_json(known if name is None else known[0])
    elif name is None:
        print_table(
            ("ACTION", "QUEUE", "ROLE", "HOST", "WHAT IT DOES"),
            [
                [
                    action["name"],
                    action["queue"],
                    action["role"],
                    "yes" if action["needs_host"] else "",
                    action["summary"],
                ]
                for action in known
            ],
        )
    else:
        _show(known[0])


def _show(action: JsonObject) -> None:
    print_line(f"{action['name']}: {action['summary']}")
    repeated = "repeats by itself when its worker is lost" if action["idempotent"] else "is not repeated when lost"
    retry = action["retry"]["max_attempts"]
    print_line(f"queue {action['queue']}, at least {action['role']}, {retry} tries, {repeated}")
    schema = action["parameters"]
    fields = schema.get("properties") or {}
    if not fields:
        print_line("no parameters")
        return
    needed = schema.get("required") or ()
    rows = [
        [
            name,
            _type(field),
            "needed" if name in needed else f"default {field.get('default')!r}",
            field.get("description", ""),
        ]
        for name, field in fields.items()
    ]
    print_table(("PARAMETER", "TYPE", "", "MEANING"), rows)


def _type(field: JsonObject) -> str:
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"] if part.get("type") != "null")
    if "enum" in field:
        return " or ".join(repr(value) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items') or {})}"
    return str(field.get("type") or str(field.get("$ref", "any")).rpartition("/")[2])
