"""`perdure demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.demo_kill import Kill
from cli.demo_scenario import Scenario
from cli.output import Exit, print_error


def demo(
    keep: Annotated[bool, typer.Option("--keep", envvar="KEEP", help="leave the stack up until Ctrl-C")] = False,
    kill: Annotated[Kill | None, typer.Option(help="kill this process in the middle, to see what survives")] = None,
    scenario: Annotated[Scenario, typer.Option(help="what to show")] = Scenario.PROVISION,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="an empty directory for its data; unset: a fresh one")
    ] = None,
) -> None:
    """Provision a sandbox host over SSH on a stack of its own, watched live; or show flow control, or chat.

    Everything is real and local: PostgreSQL, Valkey, workers, and an SSH server that cannot touch the machine. Ports
    are free ones; nothing is left running.

    Example:
      perdure demo
      perdure demo --kill worker
      perdure demo --scenario flow
      perdure demo --scenario chat
      perdure demo --keep
    """
    from cli.demo import DemoFailed, run_demo  # with the servers' wheels
    from cli.demo_chat import ChatFailed
    from cli.demo_flow import FlowStuck
    from cli.supervisor import StackFailed
    from cli.up import CannotStart

    try:
        completed = run_demo(keep=keep, kill=kill, directory=directory, scenario=scenario)
    except (DemoFailed, FlowStuck, ChatFailed, TimeoutError, CannotStart, StackFailed) as error:
        print_error(str(error))
        raise typer.Exit(Exit.FAILED) from error
    except KeyboardInterrupt:
        print_error("interrupted; all processes were stopped")
        raise typer.Exit(Exit.INTERRUPTED) from None
    raise typer.Exit(Exit.DONE if completed else Exit.FAILED)
