"""Detached remote commands on a real SSH server: started once, followed, attached to again, ended."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.detached import Finished, RemoteCommand, run_detached
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.remote_scripts import FOLLOW
from orchestration.errors import LeaseLost
from schemas.json import Json
from tests.conftest import Eventually
from tests.support.action_context import RecordingServices
from tests.support.sandbox_host import SandboxHost
from tests.support.tcp_proxy import TcpProxy


def run(ctx: ActionContext, command: RemoteCommand) -> Finished:
    with connect(ctx) as host:
        return run_detached(ctx, host, StepMemory(ctx), command)


def processes(word: str) -> list[str]:
    """Command lines of living processes that hold `word`."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if word in line and "ps -A" not in line]


def long_sleep() -> str:
    """A command that no other process runs."""
    return f"sleep {random.randint(10**8, 10**9)}"


def slow_script(sandbox: SandboxHost, name: str, seconds: int = 2) -> str:
    """Counts its starts in a file, then writes a line every 0.1 s."""
    return (
        f"echo started >> {name}.count\ni=0\nwhile [ $i -lt {seconds * 10} ]; do\n"
        f"echo line $i; i=$((i + 1)); sleep 0.1\ndone\necho end-{name}"
    )


def starts(sandbox: SandboxHost, name: str) -> int:
    path = sandbox.home / f"{name}.count"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_output_arrives_as_it_is_written_and_the_status_is_the_result(sandbox: SandboxHost):
    heard = sandbox.home / "heard"
    services = RecordingServices(on_log=lambda text: heard.touch() if "one" in text else None)
    script = f"echo one; while [ ! -e {heard} ]; do sleep 0.05; done; echo two >&2; exit 3"
    finished = run(sandbox.context(services), RemoteCommand("speak", script))
    assert finished == Finished(3, "one\ntwo\n")
    assert [text for _, text in services.logged if text in ("one\n", "two\n")] == ["one\n", "two\n"]


def test_nothing_is_left_on_the_host_after_the_result_was_read(sandbox: SandboxHost):
    ctx = sandbox.context()
    run(ctx, RemoteCommand("leave", "true"))
    place = RemoteCommand("leave", "true").place(ctx)
    assert not (sandbox.home / ".perdure" / place[0]).exists()


def test_a_command_that_succeeded_is_not_run_again_by_the_next_attempt(sandbox: SandboxHost):
    services = RecordingServices()
    command = RemoteCommand("count", "echo started >> once.count; echo out")
    first = run(sandbox.context(services, run_id="again"), command)
    second = run(sandbox.context(run_id="again", restored=services.last_checkpoint, attempt=2), command)
    assert first == second == Finished(0, "out\n")
    assert starts(sandbox, "once") == 1


def test_a_command_that_failed_is_run_again_by_the_next_attempt(sandbox: SandboxHost):
    services = RecordingServices()
    command = RemoteCommand("fail", "echo started >> failing.count; exit 1")
    assert run(sandbox.context(services, run_id="fail"), command).status == 1
    assert run(sandbox.context(run_id="fail", restored=services.last_checkpoint), command).status == 1
    assert starts(sandbox, "failing") == 2


def test_after_a_cut_link_the_next_attempt_attaches_and_reads_on(
    sandbox: SandboxHost, proxy: TcpProxy, eventually: Eventually
):
    command = RemoteCommand("cut", slow_script(sandbox, "cut"))
    first, second = RecordingServices(), RecordingServices()
    outcome: list[BaseException] = []

    def attempt() -> None:
        try:
            run(sandbox.context(first, port=proxy.port, run_id="cut"), command)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    eventually(lambda: "line 4" in first.log_text)
    proxy.cut()
    thread.join(30)
    assert isinstance(outcome[0], Retryable)
    finished = run(sandbox.context(second, run_id="cut", restored=first.last_checkpoint, attempt=2), command)
    assert finished.status == 0
    assert finished.output.splitlines() == [*(f"line {number}" for number in range(20)), "end-cut"]
    lines = [text for text in (first.log_text + second.log_text).splitlines() if text.startswith("line")]
    assert lines == [f"line {number}" for number in range(20)]
    assert starts(sandbox, "cut") == 1


def test_an_attempt_without_a_checkpoint_attaches_as_well(sandbox: SandboxHost, eventually: Eventually):
    command = RemoteCommand("killed", slow_script(sandbox, "killed", 1))
    services = RecordingServices()
    thread = threading.Thread(target=run, args=(sandbox.context(services, run_id="killed"), command), daemon=True)
    thread.start()
    eventually(lambda: "line 2" in services.log_text)
    assert run(sandbox.context(run_id="killed", attempt=2), command).output.endswith("line 9\nend-killed\n")
    thread.join(30)
    assert starts(sandbox, "killed") == 1


def test_many_attempts_at_once_start_the_command_once(sandbox: SandboxHost):
    command = RemoteCommand("race", "echo started >> race.count; sleep 2; echo done")
    results: list[Finished] = []
    failures: list[Exception] = []

    def attempt() -> None:
        try:
            results.append(run(sandbox.context(run_id="race"), command))
        except Retryable as error:  # another one has read the end and cleaned up
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert results
    assert starts(sandbox, "race") == 1


@pytest.mark.slow
def test_a_link_that_goes_silent_is_noticed(
    sandbox: SandboxHost, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
):
    monkeypatch.setattr("orchestration.actions.ssh.detached.SILENT_S", 5)
    services = RecordingServices(on_log=lambda text: proxy.freeze() if "line 2" in text else None)
    command = RemoteCommand("silent", slow_script(sandbox, "silent", 4))
    began = time.monotonic()
    with pytest.raises(Retryable, match="no sign of life"):
        run(sandbox.context(services, port=proxy.port, run_id="silent"), command)
    assert time.monotonic() - began < 18
    proxy.thaw()
    finished = run(sandbox.context(run_id="silent", restored=services.last_checkpoint), command)
    assert finished.output.endswith("end-silent\n")
    assert starts(sandbox, "silent") == 1


def test_stopping_ends_the_whole_process_group(sandbox: SandboxHost, eventually: Eventually):
    nap = long_sleep()
    script = f"{nap} &\n(trap '' TERM; {nap}; {nap}) &\necho up\nwait"
    services = RecordingServices()
    ctx = sandbox.context(services)
    services.on_log = lambda text: ctx.token.cancel("stop") if "up" in text else None
    began = time.monotonic()
    with pytest.raises(ActionCancelled):
        run(ctx, RemoteCommand("stop", script))
    assert time.monotonic() - began < 30
    eventually(lambda: not processes(nap))
    left = sandbox.home.joinpath(".perdure", *RemoteCommand("stop", script).place(ctx))
    assert sorted(path.name for path in left.iterdir()) == ["claim", "killed"]


def test_stopping_works_after_the_link_was_cut(sandbox: SandboxHost, proxy: TcpProxy, eventually: Eventually):
    nap = long_sleep()
    services = RecordingServices()
    ctx = sandbox.context(services, port=proxy.port)

    def stop(text: str) -> None:
        if "up" in text:
            ctx.token.cancel("stop")
            proxy.cut()

    services.on_log = stop
    with pytest.raises(ActionCancelled):
        run(ctx, RemoteCommand("stop-cut", f"echo up; {nap}"))
    eventually(lambda: not processes(nap))


def test_a_stopped_command_can_be_started_again_by_a_later_attempt_only(sandbox: SandboxHost):
    command = RemoteCommand("stopped", "echo started >> stopped.count; echo up; sleep 3")
    services = RecordingServices()
    ctx = sandbox.context(services, run_id="stopped", attempt=4)
    services.on_log = lambda text: ctx.token.cancel("stop") if "up" in text else None
    with pytest.raises(ActionCancelled):
        run(ctx, command)
    # A start that was under way when the command was ended, and comes late.
    with pytest.raises(Retryable):
        run(sandbox.context(run_id="stopped", attempt=4), command)
    assert starts(sandbox, "stopped") == 1
    assert run(sandbox.context(run_id="stopped", attempt=5), command).status == 0
    assert starts(sandbox, "stopped") == 2


@pytest.mark.parametrize("reason", ["drain", "lost"])
def test_a_worker_that_leaves_lets_the_command_go_on(sandbox: SandboxHost, reason: str):
    command = RemoteCommand("leaving", slow_script(sandbox, f"leaving-{reason}"))
    services = RecordingServices()
    ctx = sandbox.context(services, run_id=f"leaving-{reason}")
    services.on_log = lambda text: ctx.token.cancel(reason) if "line 3" in text else None
    with pytest.raises(ActionCancelled):
        run(ctx, command)
    finished = run(sandbox.context(run_id=f"leaving-{reason}", restored=services.last_checkpoint), command)
    assert finished.output.endswith(f"end-leaving-{reason}\n")
    assert starts(sandbox, f"leaving-{reason}") == 1


def test_an_attempt_that_lost_its_step_does_not_end_its_successors_command(sandbox: SandboxHost):
    def refuse(data: Json) -> None:
        if ctx.token.event.is_set():
            raise LeaseLost("a later attempt holds the step")

    command = RemoteCommand("fenced", slow_script(sandbox, "fenced"))
    services = RecordingServices(on_checkpoint=refuse)
    ctx = sandbox.context(services, run_id="fenced")
    services.on_log = lambda text: ctx.token.cancel("stop") if "line 3" in text else None
    with pytest.raises(LeaseLost):
        run(ctx, command)
    assert run(sandbox.context(run_id="fenced"), command).output.endswith("end-fenced\n")
    assert starts(sandbox, "fenced") == 1


def test_a_command_that_was_killed_on_the_host_is_noticed_and_started_anew(sandbox: SandboxHost):
    marker = sandbox.home / "killed-once"
    script = f"if [ ! -e {marker} ]; then touch {marker}; kill -9 -$(ps -o pgid= -p $$ | tr -d ' '); fi; echo fine"
    services = RecordingServices()
    with pytest.raises(Retryable, match="vanished"):
        run(sandbox.context(services, run_id="vanish"), RemoteCommand("vanish", script))
    again = sandbox.context(run_id="vanish", restored=services.last_checkpoint, attempt=2)
    finished = run(again, RemoteCommand("vanish", script))
    assert finished == Finished(0, "fine\n")


def test_a_secret_reaches_the_command_only_by_its_input(sandbox: SandboxHost, eventually: Eventually):
    secret = "s3cr3t-4f1b"
    services = RecordingServices()
    seen: list[str] = []

    def look(text: str) -> None:
        if "reading" in text:
            seen.extend(processes(secret))
            for path in (sandbox.home / ".perdure").rglob("*"):
                if path.is_file() and secret in path.read_text():
                    seen.append(str(path))
            for environ in Path("/proc").glob("[0-9]*/environ"):
                try:
                    data = environ.read_bytes()
                except OSError:
                    continue
                if secret.encode() in data:
                    seen.append(str(environ))

    services.on_log = look
    command = RemoteCommand("secret", "read -r key; echo reading; sleep 0.7; echo ${#key}", stdin=secret)
    assert run(sandbox.context(services), command).output == f"reading\n{len(secret)}\n"
    assert seen == []


def test_text_is_not_torn_apart_by_reading_in_pieces(sandbox: SandboxHost):
    services = RecordingServices()
    script = "i=0; while [ $i -lt 400 ]; do printf 'äöü€😀%s\\n' $i; i=$((i + 1)); done\n"
    script += "printf '\\342\\202'; sleep 0.3; printf '\\254'"
    finished = run(sandbox.context(services), RemoteCommand("utf8", script))
    spoken = services.log_text.partition("ä")
    expected = "".join(f"äöü€😀{number}\n" for number in range(400)) + "€"
    assert spoken[1] + spoken[2] == expected
    assert finished.output == expected


@pytest.mark.parametrize("missing", [["setsid"], ["setsid", "python3"]])
def test_hosts_without_setsid_use_what_they_have(
    sandbox: SandboxHost, missing: list[str], monkeypatch: pytest.MonkeyPatch
):
    if "python3" in missing and shutil.which("perl") is None:
        pytest.skip("perl is not installed")
    _pretend_missing(missing, monkeypatch)
    nap = long_sleep()
    services = RecordingServices()
    ctx = sandbox.context(services)
    services.on_log = lambda text: ctx.token.cancel("stop") if "up" in text else None
    with pytest.raises(ActionCancelled):
        run(ctx, RemoteCommand("group", f"{nap} & echo up; wait"))
    assert not processes(nap)


def test_a_host_that_cannot_detach_is_told_what_it_needs(sandbox: SandboxHost, monkeypatch: pytest.MonkeyPatch):
    _pretend_missing(["setsid", "python3", "perl"], monkeypatch)
    with pytest.raises(Permanent, match="setsid, python3 or perl"):
        run(sandbox.context(), RemoteCommand("none", "echo never"))


def _pretend_missing(programs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    script = FOLLOW
    for program in programs:
        script = script.replace(f"command -v {program} ", f"command -v no-such-{program} ")
    monkeypatch.setattr("orchestration.actions.ssh.detached.FOLLOW", script)


@pytest.mark.parametrize("shell", ["bash", "busybox"])
def test_other_shells_run_the_helper_too(sandbox: SandboxHost, shell: str, tmp_path: Path):
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    fake = Path(sandbox.facts["home"]).parent / "bin" / "sh"
    fake.write_text(f'#!/bin/sh\nexec {found} {"sh" if shell == "busybox" else "--posix"} "$@"\n')
    fake.chmod(0o755)
    try:
        services = RecordingServices()
        script = slow_script(sandbox, f"shell-{shell}", 1)
        ctx = sandbox.context(services)
        assert run(ctx, RemoteCommand("shell", script)).output.endswith(f"end-shell-{shell}\n")
        nap = long_sleep()
        other = sandbox.context(services)
        services.on_log = lambda text: other.token.cancel("stop") if "up" in text else None
        with pytest.raises(ActionCancelled):
            run(other, RemoteCommand("shell-stop", f"echo up; {nap}"))
        assert not processes(nap)
    finally:
        fake.unlink()
