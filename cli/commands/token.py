"""`perdure token`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from cli import words
from cli.client import Client
from cli.commands.options import AsJson
from cli.output import print_json, print_line, print_table
from schemas.statuses import Role


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the token, such as ci or phone")],
    role: Annotated[Role, typer.Option(help="what its holder may do")] = Role.OPERATOR,
    user: Annotated[str | None, typer.Option(help="user it stands for; unset: the token's name")] = None,
    days: Annotated[float | None, typer.Option(min=0.01, max=3650, help="unset: valid until it is revoked")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it. It is shown this once and kept nowhere.

    Example:
      perdure token create ci --role operator --days 90
    """
    body = {"name": name, "role": str(role)}
    made = Client.find().post(
        "/auth/tokens", body | ({"user_name": user} if user else {}) | ({"days": days} if days else {})
    )
    if as_json:
        print_json({field: made[field] for field in ("name", "role", "token")})
    else:
        print_line(str(made["token"]))
        typer.echo(f"This is the token {name} ({role}). It is shown this once.", err=True)


def list_(as_json: AsJson = False) -> None:
    """List the tokens, without their secrets.

    Example:
      perdure token list
    """
    client = Client.find()
    tokens = client.get("/auth/tokens")["tokens"]
    if as_json:
        print_json(tokens)
        return
    now = client.now()
    rows = [
        [
            each["name"],
            each["user_name"],
            each["role"],
            words.local_time(each["created_at"], now),
            words.local_time(each["expires_at"], now) or "never",
            words.local_time(each["last_used_at"], now) or "not yet",
        ]
        for each in tokens
    ]
    print_table(("TOKEN", "USER", "ROLE", "MADE", "ENDS", "LAST USED"), rows)


def revoke(name: Annotated[str, typer.Argument(metavar="NAME", help="name of the token")]) -> None:
    """Delete a token; its sessions end at once.

    Example:
      perdure token revoke ci
    """
    Client.find().delete(f"/auth/tokens/{quote(name, safe='')}")
    print_line(f"token {name} was revoked")
