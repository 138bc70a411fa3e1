"""`perdure stop`, `pause`, `resume`, `retry`, `skip` and `signal`: what is done to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.commands.following import follow_to_the_end
from cli.commands.options import AsJson, Follow, Run, Step, run_id_of
from cli.output import print_json, print_line
from cli.workflow_file import read_object
from schemas.json import JsonObject


def stop(run: Run, as_json: AsJson = False) -> None:
    """Stop a run; what is running is told to end, and ended when it does not.

    Example:
      perdure stop @last
    """
    _control("stop", run, as_json=as_json)


def pause(run: Run, as_json: AsJson = False) -> None:
    """Pause a run: steps in flight finish, nothing new begins.

    Example:
      perdure pause @last
    """
    _control("pause", run, as_json=as_json)


def resume(run: Run, follow: Follow = False, as_json: AsJson = False) -> None:
    """Go on with a run that is paused.

    Example:
      perdure resume @last --follow
    """
    _control("resume", run, follow=follow, as_json=as_json)


def retry(
    run: Run,
    step: Annotated[str | None, typer.Option(metavar="STEP", help="key of a step; unset: what failed")] = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Run a finished run again from what failed, or from a step and all that depends on it.

    Example:
      perdure retry @last --follow
      perdure retry @last --step resize
    """
    _control("retry", run, {} if step is None else {"step": step}, follow=follow, as_json=as_json)


def skip(run: Run, step: Step = None, as_json: AsJson = False) -> None:
    """Skip a step that has not begun, or one that failed; those that need it go on.

    Example:
      perdure skip @last resize
    """
    _control("skip", run, {} if step is None else {"step": step}, as_json=as_json)


def signal(
    run: Run,
    step: Step = None,
    payload: Annotated[str, typer.Option(metavar="JSON|@FILE", help="what the step is given")] = "{}",
    as_json: AsJson = False,
) -> None:
    """Give a step the input it waits for, such as an approval.

    Example:
      perdure signal @last approve --payload '{"approved": true}'
    """
    more: JsonObject = {"payload": read_object(payload, "--payload")}
    _control("signal", run, more | ({} if step is None else {"step": step}), as_json=as_json)


def _control(name: str, run: str, more: JsonObject | None = None, *, follow: bool = False, as_json: bool) -> None:
    client = Client.find()
    run_id = run_id_of(client, run)
    done = client.post(f"/workflow/{name}", {"workflow_id": run_id} | (more or {}))
    if follow:
        follow_to_the_end(client, run_id, as_json=as_json)
    elif as_json:
        print_json(done)
    else:
        print_line(str(done["message"]))
