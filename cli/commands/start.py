"""`perdure start`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.client import Client
from cli.commands.following import follow_to_the_end
from cli.commands.options import AsJson, Follow, NewId
from cli.output import print_json, print_line
from cli.workflow_file import BadInput, read_params, read_workflow
from schemas.json import JsonObject


def start(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="workflows in YAML or JSON; - reads the standard input")
    ],
    run_id: NewId = None,
    follow: Follow = False,
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="a parameter of the run")
    ] = None,
    ssh: Annotated[str | None, typer.Option(help="the host: 'ssh -p 22 user@host'")] = None,
    as_json: AsJson = False,
) -> None:
    """Start a run of a workflow; of several workflows one run each, all or none.

    The runs belong to the server: this command may end, they go on.

    Example:
      perdure start nightly.yaml --follow
      perdure start nightly.yaml --id nightly-7 --param folder=/srv/photos
      perdure start monday/*.yaml
    """
    if len(files) > 1 and (run_id is not None or follow):
        raise BadInput("--id and --follow are for one workflow")
    given = read_params(param or [])
    bodies = [_body(read_workflow(file), given, ssh) for file in files]
    client = Client.find()
    if len(bodies) > 1:
        _tell_many(client.start("/workflow/start/many", {"runs": bodies}), as_json=as_json)
        return
    if run_id is not None:
        bodies[0]["workflow_id"] = run_id
    tell_started(client, client.start("/workflow/start", bodies[0]), follow=follow, as_json=as_json)


def _body(body: JsonObject, params: JsonObject, ssh: str | None) -> JsonObject:
    """What is sent for one workflow."""
    if params:
        body["params"] = {**(body.get("params") or {}), **params}
    if ssh is not None:
        body["ssh"] = ssh
    body.setdefault("metadata", {})
    if isinstance(body["metadata"], dict):
        body["metadata"].setdefault("initiated_from", "cli")
    return body


def _tell_many(answer: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    print_line(str(answer["message"]))
    for run in answer["runs"]:
        print_line(f"{run['workflow_id']}: {run['status']}{'' if run['created'] else ', was already started'}")


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
