"""`perdure ps`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from cli import words
from cli.client import Client
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table
from cli.render import is_ascii, make_console, mark
from cli.run_view import elapsed, run_status
from cli.safe_text import plain
from schemas.json import JsonObject

HEADS = ("RUN", "NAME", "STATUS", "STEPS", "WAITS FOR", "STARTED", "TOOK", "BY", "HOST")


def ps(
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            "-s",
            help="pending, running, paused, completed, failed, cancelled, active or finished; may be repeated",
        ),
    ] = None,
    search: Annotated[str | None, typer.Option("--search", "-q", help="text in id, name, host or template")] = None,
    host: Annotated[str | None, typer.Option(help="runs on this host, or user@host:port")] = None,
    by: Annotated[str | None, typer.Option(help="runs that this user started")] = None,
    template: Annotated[str | None, typer.Option(help="runs of this template")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="most runs that are shown")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first.

    Example:
      perdure ps --status active
      perdure ps --status failed --search nightly --json
    """
    client = Client.find()
    runs = client.pages(
        "/workflow/runs", "runs", limit=limit, status=status, q=search, host=host, created_by=by, template_id=template
    )
    if as_json:
        print_json(runs)
    elif not runs:
        print_line("no runs" if any((status, search, host, by, template)) else "no runs yet: perdure start FILE")
    else:
        print_table(HEADS, [_row(client, run) for run in runs])


def _row(client: Client, run: JsonObject) -> list[str | Text]:
    counts, now = run["counts"], client.now()
    status = run_status(run)
    shown = mark(status, is_ascii(make_console())) + Text(" stopping" if status == "cancelling" else f" {status}")
    return [
        run["workflow_id"],
        words.cut(plain(run["name"]), 40),
        shown,
        f"{counts['completed'] + counts['skipped']}/{counts['total']}",
        words.cut(plain(words.waits_for(run)), 40),
        words.local_time(run["start_time"], now),
        words.duration(elapsed(run["start_time"], run.get("end_time"), now)),
        run.get("started_by") or "",
        run.get("host") or "",
    ]
