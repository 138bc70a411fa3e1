"""`perdure restart` and `fork`: new runs out of earlier ones."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.commands.options import AsJson, Follow, NewId, Run, run_id_of
from cli.commands.start import tell_started
from cli.workflow_file import read_object
from schemas.json import JsonObject


def restart(run: Run, new_id: NewId = None, follow: Follow = False, as_json: AsJson = False) -> None:
    """Start the workflow of a run again from the beginning, as a new run.

    Example:
      perdure restart @last --follow
    """
    client = Client.find()
    body: JsonObject = {"workflow_id": run_id_of(client, run)} | _new_id(new_id)
    tell_started(client, client.post("/workflow/restart", body), follow=follow, as_json=as_json)


def fork(
    run: Run,
    step: Annotated[str, typer.Argument(metavar="STEP", help="key of the step that runs again")],
    params: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="replaces the parameters of that step")
    ] = None,
    new_id: NewId = None,
    follow: Follow = False,
    as_json: AsJson = False,
) -> None:
    """Start a new run that keeps the results before a step, and runs that step and those after it again.

    Example:
      perdure fork @last resize --params '{"width": 1024}' --follow
    """
    changed: JsonObject = {} if params is None else {"params": read_object(params, "--params")}
    client = Client.find()
    body = {"workflow_id": run_id_of(client, run), "step": step} | changed | _new_id(new_id)
    tell_started(client, client.post("/workflow/fork", body), follow=follow, as_json=as_json)


def _new_id(new_id: str | None) -> JsonObject:
    return {} if new_id is None else {"new_workflow_id": new_id}
