"""The `perdure` command: a table of contents of its commands, and how their errors become exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup

from cli.client import NoToken, Refused, Unreachable
from cli.commands import (
    actions,
    alerts,
    breakers,
    controls,
    demo,
    hosts,
    logs,
    migrate,
    new_runs,
    ps,
    show,
    sign_in,
    start,
    token,
    up,
)
from cli.output import Exit, print_error, print_problem
from cli.workflow_file import BadInput
from settings import SettingsInvalid

ABOUT = """Durable workflows: start, watch and control runs, and run the server.

The server is the one of the data directory, or the one that PERDURE_URL and PERDURE_TOKEN name. RUN is the id of a
run, or @last for the newest one.

\b
Exit codes: 0 done, 1 the run that was followed failed, 2 usage,
            3 the server cannot be reached, 4 the server refused.
"""

Command = Callable[..., None]


class Commands(TyperGroup):
    """Turns what commands raise into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as refused:
            print_problem(refused)
            raise typer.Exit(Exit.REFUSED) from refused
        except Unreachable as error:
            print_error(str(error))
            raise typer.Exit(Exit.UNREACHABLE) from error
        except (BadInput, NoToken, SettingsInvalid) as error:
            print_error(str(error))
            raise typer.Exit(Exit.USAGE) from error


def _group(about: str, *commands: Command, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    group = typer.Typer(
        cls=cls, help=about, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    for command in commands:
        # A name that Python has taken already ends with an underscore.
        group.command(command.__name__.rstrip("_"), help=_help_of(command))(command)
    return group


def _help_of(command: Command) -> str:
    """The docstring; its example keeps its lines."""
    return inspect.cleandoc(command.__doc__ or "").replace("\n\nExample:", "\n\n\b\nExample:")


app = _group(
    ABOUT,
    up.up,
    demo.demo,
    migrate.migrate,
    start.start,
    ps.ps,
    show.show,
    logs.logs,
    controls.stop,
    controls.pause,
    controls.resume,
    controls.retry,
    controls.skip,
    controls.signal,
    new_runs.restart,
    new_runs.fork,
    actions.actions,
    sign_in.open_,
    cls=Commands,
)
app.add_typer(_group("Make, list and revoke tokens (admins).", token.create, token.list_, token.revoke), name="token")
app.add_typer(_group("The SSH host keys that were pinned on first use.", hosts.list_, hosts.forget), name="hosts")
app.add_typer(
    _group("The circuit breakers of what steps depend on.", breakers.list_, breakers.reset, breakers.force),
    name="breakers",
)
app.add_typer(_group("What is wrong just now.", alerts.list_, alerts.ack, alerts.resolve), name="alerts")

if __name__ == "__main__":
    app()
