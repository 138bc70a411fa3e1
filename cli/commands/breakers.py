"""`perdure breakers`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.client import Client
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table
from cli.workflow_file import BadInput
from schemas.json import JsonObject

PATH = "/api/orchestration/circuit-breakers"


class Forced(StrEnum):
    """What a breaker can be made to be."""

    OPEN = "open"
    CLOSED = "closed"
    AUTO = "auto"


def list_(as_json: AsJson = False) -> None:
    """List the circuit breakers that were used of late, those set by hand first.

    Example:
      perdure breakers list
    """
    breakers = Client.find().get(PATH)["breakers"]
    if as_json:
        print_json(breakers)
    elif not breakers:
        print_line("no circuit breaker was used of late")
    else:
        print_table(
            ("BREAKER", "STATE", "SINCE", "CALLS", "FAILED", "KEPT OUT", "LAST ERROR"),
            [
                [
                    each["name"],
                    f"{each['state']}, by hand" if each["forced"] else each["state"],
                    (each["changedAt"] or "")[:19].replace("T", " "),
                    str(each["calls"]),
                    str(each["failures"]),
                    str(each["rejected"]),
                    each["lastError"] or "",
                ]
                for each in breakers
            ],
        )


def reset(
    name: Annotated[str | None, typer.Argument(help="as `perdure breakers list` shows it")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,
    as_json: AsJson = False,
) -> None:
    """Close a breaker, forget its failures, and let what waits on it go on (admins).

    Example:
      perdure breakers reset openai
    """
    if (name is None) is not everything:
        raise BadInput("name one breaker, or say --all")
    _order("reset", {"name": name} if name is not None else {}, as_json)


def force(
    name: Annotated[str, typer.Argument(help="of a breaker, also of one that nobody has used yet")],
    state: Annotated[Forced, typer.Argument(help="`auto`: by itself again")],
    as_json: AsJson = False,
) -> None:
    """Keep a breaker open or closed whatever the calls say, until it is reset or left to itself (admins).

    Example:
      perdure breakers force openai open
    """
    _order("force", {"name": name, "state": state.value}, as_json)


def _order(verb: str, body: JsonObject, as_json: bool) -> None:
    answer = Client.find().post(f"{PATH}/{verb}", body)
    if as_json:
        print_json(answer)
    else:
        print_line(str(answer["message"]))
