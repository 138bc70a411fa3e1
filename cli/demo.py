"""What `perdure demo` runs: a stack and a sandbox host of its own, and the provisioning of that host, watched live."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.commands.following import tell_end
from cli.commands.sign_in import sign_in_link
from cli.demo_chat import run_chat
from cli.demo_flow import run_flow
from cli.demo_kill import Kill, Killer
from cli.demo_scenario import Scenario
from cli.demo_workflow import REPOSITORY_SCHEMES, SECRET, demo_workflow, make_sync_folder
from cli.follow import follow
from cli.guarded import Guarded, Launch
from cli.output import print_line
from cli.private_file import make_data_dir, write_private
from cli.process_logs import ProcessLogs
from cli.render import make_console, progress_display
from cli.servers.ports import free_port, free_port_pair
from cli.up import Stack
from schemas.json import JsonObject
from settings import ENV_PREFIX, ROOT, Settings, default_data_dir, load_settings

SANDBOX_TIMEOUT_S = 30.0
SANDBOX_LOOK_S = 0.05
SECRET_VALUE = "demo-value-of-no-use-anywhere"
SERVER_VARIABLES = ("DATABASE_URL", "REDIS_URL", "DISABLE_TASK_WORKER")


class DemoFailed(Exception):
    """The demo could not be set up; the message says why and where the log is."""


SHOWN = {
    Scenario.PROVISION: "a real SSH host is provisioned on this machine, inside a sandbox",
    Scenario.FLOW: "an agent fails under load; its breaker opens, work is parked, and waves release it",
    Scenario.CHAT: "answers outlive their worker, are read from anywhere and stopped; agents answer together and apart",
}


def run_demo(
    *,
    keep: bool = False,
    kill: Kill | None = None,
    directory: Path | None = None,
    scenario: Scenario = Scenario.PROVISION,
) -> bool:
    """Run the demo; whether the run completed. All processes have ended when this returns or raises.

    `directory` must be empty; unset: a fresh one, which stays until the next demo so that its logs can be read.
    Raises: DemoFailed, FlowStuck, ChatFailed, TimeoutError, CannotStart, StackFailed; KeyboardInterrupt on Ctrl-C,
    SIGTERM and SIGHUP.
    """
    _forget_settings()
    directory = _fresh_directory(directory)
    settings = demo_settings(directory)
    print_line(f"Perdure demo: {SHOWN[scenario]}")
    print_line(f"data and logs: {directory}")
    with _terminated_like_ctrl_c(), contextlib.ExitStack() as cleanup:
        began = time.monotonic()
        facts: JsonObject = {}
        if scenario is Scenario.PROVISION:
            sandbox = cleanup.enter_context(_sandbox(directory))
            stack = cleanup.enter_context(_running(Stack(settings)))
            facts = _wait_until_ready(sandbox, directory)
        else:
            stack = cleanup.enter_context(_running(Stack(settings)))
        print_line(f"PostgreSQL, Valkey, web, relay, workers and Flower are up after {time.monotonic() - began:.1f} s")
        client = Client.of(settings)
        match scenario:
            case Scenario.FLOW:
                completed = run_flow(client)
            case Scenario.CHAT:
                completed = run_chat(client, settings.data_dir)
            case Scenario.PROVISION:
                completed = _provision(client, facts, settings, kill)
        if keep:
            _keep(stack)
    print_line("all processes were stopped" if completed else f"all processes were stopped; logs: {stack.log_dir}")
    return completed


def demo_settings(directory: Path) -> Settings:
    """The settings of a demo in this directory, on free ports."""
    port = free_port_pair()
    return load_settings(
        attach=False,
        data_dir=directory,
        port=port,
        relay_port=port + 1,
        flower_port=free_port(),
        ssh_keys_dir=directory / "keys",
        secrets_dir=directory / "secrets",
        sync_root=directory / "sync",
        repository_schemes=tuple(REPOSITORY_SCHEMES.split(",")),
        workflow_step_delay_s=0,
        # The agent of the scenario `flow` answers on loopback.
        http_allow=("127.0.0.1",),
        start_rate_limit="600/minute",
        # Each step a Celery task of its own, as whoever looks at it in Flower expects.
        handover_ms=0,
    )


def _provision(client: Client, facts: JsonObject, settings: Settings, kill: Kill | None) -> bool:
    started = client.start("/workflow/start", demo_workflow(facts))
    run_id = started["workflow_id"]
    print_line(f"watch it in a browser: {sign_in_link(client, f'/runs/{run_id}')} (works once)")
    killer = Killer(settings.data_dir, kill)
    with progress_display(make_console(), client.now) as display:
        killer.say = display.say
        state = follow(client, run_id, display, watch=killer.watch)
        killer.finish()
    tell_end(state)
    if kill is not None:
        _tell_survival(client, run_id, state)
    return bool(state["status"] == "completed") and killer.has_killed_if_asked


def _tell_survival(client: Client, run_id: str, state: JsonObject) -> None:
    """What the kill cost, from the record of attempts."""
    steps = client.get("/workflow/steps", workflow_id=run_id, attempts=True, limit=200)["steps"]
    outcomes = [attempt["outcome"] for step in steps for attempt in step["attempts"]]
    lost = sum(outcome in ("lost", "handed_back") for outcome in outcomes)
    done = sum(outcome == "completed" for outcome in outcomes)
    taken = f"{lost} attempt was lost and taken over" if lost == 1 else f"{lost} attempts were lost and taken over"
    print_line(f"{done} of {state['total_steps']} steps were committed, each once; {taken}")


def _keep(stack: Stack) -> None:
    """Leave the stack up until Ctrl-C."""
    print_line("the stack stays up until Ctrl-C; in another terminal:")
    sys.stdout.write(f"  export {ENV_PREFIX}DATA_DIR='{stack.settings.data_dir}'\n")
    sys.stdout.write("  perdure ps\n  perdure open\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextlib.contextmanager
def _running(stack: Stack) -> Iterator[Stack]:
    try:
        stack.start()
        yield stack
    finally:
        try:
            stack.stop()
        except KeyboardInterrupt:  # a second Ctrl-C: at once
            stack.ask_to_stop()
            stack.stop()


@contextlib.contextmanager
def _sandbox(directory: Path) -> Iterator[Guarded]:
    """The sandbox host in a process of its own; it makes its packages and repositories while the stack starts."""
    write_private(_made(directory / "secrets") / SECRET, SECRET_VALUE + "\n")
    make_sync_folder(_made(directory / "sync"))
    arguments = ["-m", "cli.sandbox", "--dir", str(directory / "sandbox"), "--keys-dir", str(directory / "keys")]
    arguments += ["--ready-file", str(directory / "sandbox.json")]
    with ProcessLogs(directory / "logs").open("sandbox") as log:
        sandbox = Guarded(Launch("sandbox", (sys.executable, *arguments), cwd=ROOT), log)
    try:
        yield sandbox
    finally:
        sandbox.stop()
        sandbox.wait()
        sandbox.close()


def _wait_until_ready(sandbox: Guarded, directory: Path) -> JsonObject:
    """What the sandbox tells of itself. Raises: DemoFailed."""
    ready = directory / "sandbox.json"
    deadline = time.monotonic() + SANDBOX_TIMEOUT_S
    while not ready.exists():
        if sandbox.wait(SANDBOX_LOOK_S) is not None or time.monotonic() > deadline:
            logs = ProcessLogs(directory / "logs")
            said = logs.last_line("sandbox")
            raise DemoFailed(f"the sandbox host did not start: {said} (log: {logs.path('sandbox')})")
    facts: JsonObject = json.loads(ready.read_text())
    return facts


def _forget_settings() -> None:
    """The demo is the same everywhere: servers and settings of this environment are not for it, nor its processes."""
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX) or name in SERVER_VARIABLES:
            del os.environ[name]


def _fresh_directory(wanted: Path | None) -> Path:
    """An empty directory. Those of demos that have ended are removed. Raises: DemoFailed."""
    if wanted is not None:
        wanted = wanted.expanduser().absolute()
        if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
            raise DemoFailed(f"{wanted} is not an empty directory")
        make_data_dir(wanted)
        return wanted
    home = default_data_dir("demo")
    make_data_dir(home)
    for left in home.iterdir():
        if not _is_used(left):
            shutil.rmtree(left, ignore_errors=True)
    directory = home / f"{os.getpid()}-{secrets.token_hex(2)}"
    make_data_dir(directory)
    return directory


def _is_used(directory: Path) -> bool:
    """Whether a demo, or a process that one left behind, still lives on this directory."""
    pid = directory.name.partition("-")[0]
    if pid.isdigit() and _is_running(int(pid)):
        return True
    for name in ("up.lock", "processes.lock"):
        with contextlib.suppress(FileNotFoundError), (directory / name).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


@contextlib.contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and SIGHUP stop the demo in order too."""

    def interrupt(_number: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
