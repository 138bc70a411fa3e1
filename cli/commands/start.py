"""`perdure start`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.commands.following import follow_to_the_end
from cli.commands.options import AsJson, Follow, NewId
from cli.output import print_json, print_line
from cli.workflow_file import read_params, read_workflow
from schemas.json import JsonObject


def start(
    file: Annotated[str, typer.Argument(metavar="FILE", help="workflow in YAML or JSON; - reads the standard input")],
    run_id: NewId = None,
    follow: Follow = False,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="a parameter of the run")
    ] = None,
    ssh: Annotated[str | None, typer.Option(help="the host: 'ssh -p 22 user@host'")] = None,
    as_json: AsJson = False,
) -> None:
    """Start a run of a workflow.

    The run belongs to the server: this command may end, the run goes on.

    Example:
      perdure start nightly.yaml --follow
      perdure start nightly.yaml --id nightly-7 --param folder=/srv/photos
    """
    body = read_workflow(file)
    params = read_params(param or [])
    if params:
        body["params"] = {**(body.get("params") or {}), **params}
    if run_id is not None:
        body["workflow_id"] = run_id
    if ssh is not None:
        body["ssh"] = ssh
    body.setdefault("metadata", {})
    if isinstance(body["metadata"], dict):
        body["metadata"].setdefault("initiated_from", "cli")
    client = Client.find()
    tell_started(client, client.start("/workflow/start", body), follow=follow, as_json=as_json)


def tell_started(client: Client, started: JsonObject, *, follow: bool, as_json: bool) -> None:
    """Say which run was started, and follow it if that is wanted."""
    run_id = str(started["workflow_id"])
    if follow:
        follow_to_the_end(client, run_id, as_json=as_json)
    elif as_json:
        print_json(started)
    else:
        print_line(f"{started['message']}: {run_id}")
        print_line(f"watch it with: perdure show {run_id} --follow")
