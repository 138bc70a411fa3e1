"""`shell.command` with real programs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.actions import ActionCancelled, ActionContext, Permanent
from orchestration.actions.shell import MAX_KEPT_CHARS, ShellParams, command
from orchestration.actions.testing import Recorder, make_context

ON = {"shell_command_enabled": True}


def run(*argv: str, recorder: Recorder | None = None, **params: Any) -> dict[str, Any]:
    return run_in(make_context(recorder, settings=ON), *argv, **params)


def run_in(ctx: ActionContext, *argv: str, **params: Any) -> dict[str, Any]:
    result = command(ctx, ShellParams.model_validate({"argv": argv, **params}))
    assert isinstance(result, dict)
    return result


def is_alive(process_id: int) -> bool:
    """Whether a process runs; a dead one that nobody has collected yet does not."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process_id}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until_dead(process_id: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(process_id)


def read_id(path: Path) -> int:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, "the program did not start"
        time.sleep(0.02)
    return int(path.read_text())


def test_off_unless_the_setting_is_on(tmp_path):
    for settings in ({}, {"shell_command_enabled": False}):
        with pytest.raises(Permanent, match="PERDURE_SHELL_COMMAND_ENABLED"):
            run_in(make_context(settings=settings), "touch", str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


def test_output_is_logged_and_kept_with_the_exit_code():
    recorder = Recorder()
    result = run("sh", "-c", "echo out; echo err >&2; printf end", recorder=recorder)
    assert result == {"exit_code": 0, "stdout": "out\nend", "stderr": "err\n"}
    assert "".join(text for text, level in recorder.pieces if level == "info") == "out\nend"
    assert "".join(text for text, level in recorder.pieces if level == "warning") == "err\n"


def test_output_is_logged_while_the_program_runs():
    recorder = Recorder()
    ctx = make_context(recorder, settings=ON)
    runner = threading.Thread(target=run_in, args=(ctx, "sh", "-c", "echo first; read line; sleep 0.5; echo second"))
    runner.start()
    deadline = time.monotonic() + 5
    while recorder.log_text != "first\n" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert recorder.log_text == "first\n"
    runner.join()
    assert recorder.log_text == "first\nsecond\n"


def test_arguments_are_words_that_no_shell_reads():
    words = ["$HOME", "a b", "*", ";", "`id`", "-n", "ä"]
    assert run(sys.executable, "-c", "import sys; print(sys.argv[1:])", *words)["stdout"].strip() == repr(words)


def test_environment_is_clean_and_the_directory_is_its_own(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    result = run("sh", "-c", "env; pwd", env={"MINE": "1"})
    names = {line.partition("=")[0] for line in result["stdout"].splitlines() if "=" in line}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "HOME", "LANG", "MINE"}
    assert not Path(result["stdout"].splitlines()[-1]).exists()


def test_directory_can_be_named(tmp_path):
    assert Path(run("pwd", cwd=str(tmp_path))["stdout"].strip()).resolve() == tmp_path.resolve()


def test_input_is_given_and_may_be_a_secret():
    assert run("cat", input="hällo" * 50_000)["stdout"].endswith("hällo")
    recorder = Recorder(secrets={"key": "hunter22"})
    assert run("cat", recorder=recorder, input={"secret": "key"})["stdout"] == "hunter22"
    assert run("cat")["stdout"] == ""


def test_other_exit_code_is_a_permanent_failure_with_the_last_words():
    with pytest.raises(Permanent, match="ended with 3: went wrong") as caught:
        run("sh", "-c", "echo one; echo went wrong >&2; exit 3")
    assert caught.value.details == {"exit_code": 3, "stdout": "one\n", "stderr": "went wrong\n"}
    assert run("sh", "-c", "exit 3", success_codes=[0, 3])["exit_code"] == 3


@pytest.mark.parametrize("argv", [["/no/such/program"], ["no-such-program-here"], ["/etc"]])
def test_program_that_cannot_be_started_says_so(argv):
    with pytest.raises(Permanent, match="cannot be started"):
        run(*argv)


def test_much_output_is_cut_at_the_front():
    result = run(sys.executable, "-c", "print('x' * 1_000_000 + 'end')")
    assert result["stdout"].startswith("[cut: ")
    assert result["stdout"].endswith("end\n")
    assert len(result["stdout"]) < MAX_KEPT_CHARS + 100


def test_bytes_that_are_no_text_and_characters_across_reads_come_through():
    program = (
        "import sys,time; w=sys.stdout.buffer; w.write(b'\\xc3'); w.flush(); time.sleep(.2); w.write(b'\\xa4\\xff')"
    )
    assert run(sys.executable, "-c", program)["stdout"] == "ä\ufffd"


@pytest.mark.parametrize(
    "params", [{"argv": []}, {"argv": [""]}, {"argv": ["a\0"]}, {"argv": ["a"], "env": {"A=B": "x"}}]
)
def test_what_cannot_be_passed_is_refused(params):
    with pytest.raises(ValidationError):
        ShellParams.model_validate(params)


def test_stop_ends_the_program_and_all_it_started(tmp_path):
    ctx = make_context(settings=ON)
    script = f"sleep 100 & echo $! > {tmp_path}/child; wait"
    threading.Timer(0.5, ctx.token.cancel, ("stop",)).start()
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", script)
    assert time.monotonic() - started < 2
    assert wait_until_dead(read_id(tmp_path / "child"), 2)


def test_program_that_ignores_a_stop_is_killed_after_the_grace(tmp_path):
    ctx = make_context(settings=ON)
    script = f"trap '' TERM; echo $$ > {tmp_path}/id; while :; do sleep 0.1; done"
    threading.Timer(0.5, ctx.token.cancel, ("stop",)).start()
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", script)
    assert 2 <= time.monotonic() - started < 5
    assert wait_until_dead(read_id(tmp_path / "id"), 2)


def test_program_that_closed_its_outputs_still_obeys_a_stop():
    ctx = make_context(settings=ON)
    threading.Timer(0.3, ctx.token.cancel, ("stop",)).start()
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", "exec >&- 2>&-; trap '' TERM; while :; do sleep 0.1; done")
    assert time.monotonic() - started < 5


def test_cancelled_before_it_began_ends_at_once():
    ctx = make_context(settings=ON)
    ctx.token.cancel("stop")
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sleep", "100")
    assert time.monotonic() - started < 3


def test_what_the_program_leaves_behind_is_ended(tmp_path):
    started = time.monotonic()
    assert run("sh", "-c", f"sleep 100 & echo $! > {tmp_path}/child; echo done")["stdout"] == "done\n"
    assert time.monotonic() - started < 3
    assert wait_until_dead(read_id(tmp_path / "child"), 2)


def _run_in_process(script: str) -> None:
    run("sh", "-c", script)


def test_death_of_the_worker_ends_the_program(tmp_path):
    worker = multiprocessing.get_context("fork").Process(
        target=_run_in_process, args=(f"echo $$ > {tmp_path}/id; sleep 100",)
    )
    worker.start()
    program = read_id(tmp_path / "id")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert wait_until_dead(program, 5)
