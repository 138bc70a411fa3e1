"""`perdure up`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Client, NoToken, Refused, Unreachable
from cli.commands.sign_in import sign_in_link
from cli.output import Exit, print_error
from settings import Settings, load_settings


def up(
    port: Annotated[int | None, typer.Option(min=1, max=65533, help="port of the web process")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where data, logs and tokens are kept")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="logs go to files only")] = False,
) -> None:
    """Run the whole stack in the foreground, until Ctrl-C.

    PostgreSQL and Valkey are started too, unless DATABASE_URL and REDIS_URL name others. Whatever dies is started
    again; a later start on the same data goes on where this one was.

    Example:
      perdure up
      perdure up --port 8500
    """
    from cli.supervisor import StackFailed
    from cli.up import CannotStart, run_up  # with the servers' wheels, which the other commands need not wait for

    given = {name: value for name, value in (("port", port), ("data_dir", data_dir)) if value is not None}
    settings = load_settings(attach=False, **given)
    try:
        run_up(settings, terminal=None if quiet else sys.stdout, on_ready=lambda: _tell_ready(settings))
    except CannotStart as error:
        print_error(str(error))
        raise typer.Exit(Exit.USAGE) from error
    except StackFailed as error:
        print_error(str(error))
        raise typer.Exit(Exit.FAILED) from error


def _tell_ready(settings: Settings) -> None:
    lines = [f"Perdure is ready at {settings.web_url}"]
    try:
        lines.append(f"sign in with {sign_in_link(Client.of(settings))} (once, within 10 minutes)")
    except (NoToken, Refused, Unreachable):
        lines.append("sign in with the link that `perdure open` prints")
    lines.append("stop with Ctrl-C")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
