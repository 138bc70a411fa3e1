"""`perdure hosts`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from cli.client import Client
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table


def list_(as_json: AsJson = False) -> None:
    """List the hosts whose keys are pinned, with their fingerprints.

    Example:
      perdure hosts list
    """
    hosts = Client.find().get("/hosts")["hosts"]
    if as_json:
        print_json(hosts)
    elif not hosts:
        print_line("no host key is pinned yet")
    else:
        print_table(
            ("HOST", "TYPE", "FINGERPRINT"), [[each["host"], each["type"], each["fingerprint"]] for each in hosts]
        )


def forget(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="as `perdure hosts list` shows it")],
) -> None:
    """Forget the key of a host that was set up anew; the next connection pins the new one.

    Example:
      perdure hosts forget 10.1.2.3:2838
    """
    print_line(Client.find().delete(f"/hosts/{quote(address, safe=':[]')}")["message"])
