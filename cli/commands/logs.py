"""`perdure logs`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.client import Client
from cli.commands.options import Run, Step, run_id_of
from cli.log_reader import LogFollower, Place, stored_log
from cli.output import Exit, print_error
from cli.render import make_console
from cli.safe_text import SafeLog, plain


def logs(
    run: Run,
    step: Step = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until the step has ended")] = False,
    attempt: Annotated[int | None, typer.Option(min=1, help="unset: the latest")] = None,
) -> None:
    """Print the log of a step. Colours are kept in a terminal; nothing else that a log might tell it to do.

    Example:
      perdure logs @last resize
      perdure logs -f @last
    """
    if follow and attempt is not None:
        raise typer.BadParameter("an attempt that is over cannot be followed", param_hint="--attempt")
    client = Client.find()
    run_id = run_id_of(client, run)
    console = make_console()
    safe = SafeLog(coloured=console.is_terminal and not console.no_color)

    def write(text: str) -> None:
        sys.stdout.write(safe.feed(text))
        sys.stdout.flush()

    try:
        if follow:
            key = step or _step_in_hand(client, run_id)
            LogFollower(client, run_id, key, write, _say).to_the_end()
        else:
            for text in stored_log(client, run_id, step, Place(attempt or 0)):
                write(text)
    except KeyboardInterrupt:
        print_error("not followed any more; the run goes on")
        raise typer.Exit(Exit.INTERRUPTED) from None
    finally:
        sys.stdout.write(safe.end())
        sys.stdout.flush()


def _step_in_hand(client: Client, run_id: str) -> str:
    return str(client.get("/workflow/state/summary", workflow_id=run_id)["summary"]["step"]["key"])


def _say(text: str) -> None:
    sys.stderr.write(f"[{plain(text)}]\n")
