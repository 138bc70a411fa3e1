"""`shell.command` with real programs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.actions import ActionCancelled, ActionContext, Permanent
from orchestration.actions.shell import MAX_KEPT_CHARS, ShellParams, command
from orchestration.actions.testing import Recorder, make_context
from tests.conftest import Eventually
from tests.support.processes import is_alive

ON = {"shell_command_enabled": True}


def run(*argv: str, recorder: Recorder | None = None, **params: Any) -> dict[str, Any]:
    return run_in(make_context(recorder, settings=ON), *argv, **params)


def run_in(ctx: ActionContext, *argv: str, **params: Any) -> dict[str, Any]:
    result = command(ctx, ShellParams.model_validate({"argv": argv, **params}))
    assert isinstance(result, dict)
    return result


def id_in(path: Path) -> int:
    """The id that a program wrote into the file; 0 while it has not."""
    return int(path.read_text().strip() or 0) if path.exists() else 0


def stop_once(ctx: ActionContext, begun: Callable[[], object], eventually: Eventually) -> None:
    """Ask for a stop as soon as the program has begun, while the caller waits for its end."""

    def stop() -> None:
        eventually(begun, timeout_s=30)
        ctx.token.cancel("stop")

    threading.Thread(target=stop, daemon=True).start()


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


def test_output_is_logged_while_the_program_runs(tmp_path, eventually):
    recorder = Recorder()
    ctx = make_context(recorder, settings=ON)
    script = f"echo first; while [ ! -e {tmp_path}/go-on ]; do sleep 0.02; done; echo second"
    runner = threading.Thread(target=run_in, args=(ctx, "sh", "-c", script))
    runner.start()
    try:
        eventually(lambda: recorder.log_text == "first\n", timeout_s=30)
    finally:
        (tmp_path / "go-on").touch()
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


def test_stop_ends_the_program_and_all_it_started(tmp_path, monkeypatch, eventually):
    monkeypatch.setattr("orchestration.actions.shell.GRACE_S", 60.0)  # nothing here needs to be killed
    ctx, child = make_context(settings=ON), tmp_path / "child"
    stop_once(ctx, lambda: id_in(child), eventually)
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", f"sleep 100 & echo $! > {child}; wait")
    assert time.monotonic() - started < 30
    eventually(lambda: not is_alive(id_in(child)))


def test_program_that_ignores_a_stop_is_killed_after_the_grace(tmp_path, monkeypatch, eventually):
    monkeypatch.setattr("orchestration.actions.shell.GRACE_S", 0.5)
    ctx, program = make_context(settings=ON), tmp_path / "id"
    stopped: list[float] = []
    ctx.on_cancel(lambda: stopped.append(time.monotonic()))
    stop_once(ctx, lambda: id_in(program), eventually)
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", f"trap '' TERM; echo $$ > {program}; while :; do sleep 0.1; done")
    assert time.monotonic() - stopped[0] >= 0.5
    eventually(lambda: not is_alive(id_in(program)))


def test_program_that_closed_its_outputs_still_obeys_a_stop(tmp_path, monkeypatch, eventually):
    monkeypatch.setattr("orchestration.actions.shell.GRACE_S", 0.2)
    ctx, program = make_context(settings=ON), tmp_path / "id"
    stop_once(ctx, lambda: id_in(program), eventually)
    script = f"exec >&- 2>&-; trap '' TERM; echo $$ > {program}; while :; do sleep 0.1; done"
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sh", "-c", script)
    eventually(lambda: not is_alive(id_in(program)))


def test_cancelled_before_it_began_ends_at_once():
    ctx = make_context(settings=ON)
    ctx.token.cancel("stop")
    started = time.monotonic()
    with pytest.raises(ActionCancelled):
        run_in(ctx, "sleep", "100")
    assert time.monotonic() - started < 30


def test_what_the_program_leaves_behind_is_ended(tmp_path, eventually):
    child = tmp_path / "child"
    started = time.monotonic()
    assert run("sh", "-c", f"sleep 100 & echo $! > {child}; echo done")["stdout"] == "done\n"
    assert time.monotonic() - started < 30
    eventually(lambda: not is_alive(id_in(child)))


def _run_in_process(script: str) -> None:
    run("sh", "-c", script)


def test_death_of_the_worker_ends_the_program(tmp_path, eventually):
    program = tmp_path / "id"
    worker = multiprocessing.get_context("fork").Process(
        target=_run_in_process, args=(f"echo $$ > {program}; sleep 100",)
    )
    worker.start()
    eventually(lambda: id_in(program), timeout_s=30)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    eventually(lambda: not is_alive(id_in(program)))
