"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client, Refused

LAST = "@last"

Run = Annotated[str, typer.Argument(metavar="RUN", help="id of the run, or @last for the newest one")]
Step = Annotated[str | None, typer.Argument(metavar="[STEP]", help="key of the step; unset: the step in hand")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="watch the run to its end")]
NewId = Annotated[str | None, typer.Option("--id", help="id of the new run; unset: the server's choice")]


def run_id_of(client: Client, named: str) -> str:
    """The id a user means. Raises: Refused when @last is asked for and there is no run."""
    if named != LAST:
        return named
    newest = client.get("/workflow/runs", limit=1)["runs"]
    if not newest:
        raise Refused(404, {"detail": "there is no run yet", "mend": "start one with `perdure start FILE`"})
    return str(newest[0]["workflow_id"])
