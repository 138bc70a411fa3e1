"""`perdure show`."""

from __future__ import annotations

from rich.text import Text

from cli import words
from cli.client import Client
from cli.commands.following import follow_to_the_end, tell_end
from cli.commands.options import AsJson, Follow, Run, run_id_of
from cli.output import print_json, print_line
from cli.render import is_ascii, make_console, mark, run_frame
from cli.run_view import run_status, step_status
from schemas.json import JsonObject


def show(run: Run, follow: Follow = False, as_json: AsJson = False) -> None:
    """Show a run and its steps.

    Example:
      perdure show @last
      perdure show @last --follow
      perdure show @last --json
    """
    client = Client.find()
    run_id = run_id_of(client, run)
    if follow:
        client.get("/workflow/state/summary", workflow_id=run_id)  # a wrong id is said before anything is drawn
        follow_to_the_end(client, run_id, as_json=as_json)
        return
    found = client.state(run_id)
    assert found is not None, "no tag was sent, so there is a document"
    state = found[1]
    if as_json:
        print_json(state)
        return
    _print_state(client, state)
    if not state["active"]:
        tell_end(state)


def _print_state(client: Client, state: JsonObject) -> None:
    console = make_console()
    if console.is_terminal:
        console.print(run_frame(state, "live", client.now(), rows=len(state["steps"]), ascii_only=is_ascii(console)))
        return
    print_line(f"{state['name']} {state['workflow_id']}: {run_status(state)}")
    for step in state["steps"]:
        parts = [step_status(step), words.step_time(step, client.now()), words.step_message(step, client.now())]
        line = mark(step_status(step), is_ascii(console)) + Text(f" {step['key']}: ")
        console.print(line + Text(" · ".join(part for part in parts if part)), soft_wrap=True)
    if state["steps_truncated"]:
        print_line(f"{len(state['steps'])} of {state['total_steps']} steps are shown")
