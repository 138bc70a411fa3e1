"""`perdure alerts`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table

Number = Annotated[int, typer.Argument(metavar="ID", help="as `perdure alerts list` shows it")]
Note = Annotated[str | None, typer.Option("--note", help="what others should know")]
NO_MORE = 1000


def list_(
    as_json: AsJson = False,
    everything: Annotated[bool, typer.Option("--all", help="those that are over as well")] = False,
    limit: Annotated[int, typer.Option(min=1, max=NO_MORE, help="how many at most")] = 50,
) -> None:
    """List what is wrong just now, newest first.

    Example:
      perdure alerts list
    """
    status = None if everything else "open"
    alerts = Client.find().pages("/api/orchestration/alerts", "alerts", limit=limit, status=status)
    if as_json:
        print_json(alerts)
    elif not alerts:
        print_line("there is no alert" if everything else "there is no open alert")
    else:
        print_table(
            ("ID", "SINCE", "SEVERITY", "STATUS", "ALERT"),
            [
                [
                    str(alert["id"]),
                    alert["openedAt"][:19].replace("T", " "),
                    alert["severity"],
                    "acknowledged" if alert["status"] == "open" and alert["acknowledgedAt"] else alert["status"],
                    alert["message"],
                ]
                for alert in alerts
            ],
        )


def ack(number: Number, note: Note = None) -> None:
    """Say that you have seen an alert.

    Example:
      perdure alerts ack 17 --note "the provider knows"
    """
    _post(number, "acknowledge", note, "acknowledged")


def resolve(number: Number, note: Note = None) -> None:
    """Take an alert for over; it comes back when it was gone meanwhile, or after a day.

    Example:
      perdure alerts resolve 17
    """
    _post(number, "resolve", note, "resolved")


def _post(number: int, verb: str, note: str | None, done: str) -> None:
    body = {} if note is None else {"note": note}
    Client.find().post(f"/api/orchestration/alerts/{number}/{verb}", body)
    print_line(f"alert {number} is {done}")
