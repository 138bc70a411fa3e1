"""What `--follow` does, the same after every command that has it."""

from __future__ import annotations

import typer

from cli import words
from cli.client import Client
from cli.follow import follow
from cli.output import Exit, print_error, print_json, print_line
from cli.render import make_console, progress_display
from cli.run_view import retries, run_status
from schemas.json import JsonObject


def follow_to_the_end(client: Client, run_id: str, *, as_json: bool) -> None:
    """Show the run until it ends, and its summary. With `as_json`, the state goes to the output, the rest beside it.

    Raises: typer.Exit: 1 when the run did not complete, 130 after Ctrl-C, which leaves the run alone.
    """
    console = make_console(stderr=as_json)
    try:
        with progress_display(console, client.now) as display:
            state = follow(client, run_id, display)
    except KeyboardInterrupt:
        print_error(f"not followed any more; the run goes on: perdure show {run_id} --follow")
        raise typer.Exit(Exit.INTERRUPTED) from None
    if as_json:
        print_json(state)
    else:
        tell_end(state)
    if state["status"] != "completed":
        raise typer.Exit(Exit.FAILED)


def tell_end(state: JsonObject) -> None:
    """The summary line of a run that has ended, and why it failed."""
    print_line(f"{run_status(state)}: {words.summary(state, retries(state))}")
    error = state.get("error")
    if error:
        where = f" (step {error['step']})" if error.get("step") else ""
        print_line(f"why: {error.get('message') or error.get('code')}{where}")
    if state["status"] == "failed":
        print_line(f"next: perdure logs {state['workflow_id']} STEP, then perdure retry {state['workflow_id']}")
