"""The command as a user has it: runs, controls, logs, exit codes, and what is said when something is wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.integration.cli_commands.conftest import PERDURE, Perdure

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]
NOOP = {"key": "a", "action": "noop"}
UNREADABLE = {"key": "a", "action": "demo.sleep", "params": {"seconds": "x"}}
LONG = {"key": "long", "action": "demo.sleep", "params": {"seconds": 600}}


def wait_for_line(process: Any, part: str) -> str:
    """What was said up to a line that holds `part`."""
    said = ""
    for line in process.stdout:
        said += line
        if part in line:
            return said
    raise AssertionError(f"{part!r} was not said:\n{said}")


def test_runs_are_listed_and_shown_as_json(perdure: Perdure) -> None:
    run_id = perdure.start(NOOP, name="Listed", workflow_id="listed-1")
    perdure("show", run_id, "--follow")
    runs = perdure.json("ps", "--search", "listed-1")
    assert [(run["workflow_id"], run["name"], run["status"]) for run in runs] == [("listed-1", "Listed", "completed")]
    state = perdure.state("@last")
    assert [(step["key"], step["status"]) for step in state["steps"]] == [("a", "completed")]
    assert perdure.json("ps", "--search", "listed-1", "--status", "failed") == []


def test_several_files_are_started_together_or_not_at_all(perdure: Perdure, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.json", "two.json", "bad.json")]
    for file, action in zip(files, ("noop", "noop", "nope"), strict=True):
        file.write_text(json.dumps({"workflow_id": f"many-{file.stem}", "steps": [{"key": "a", "action": action}]}))
    refused = perdure.call("start", *map(str, files))
    assert refused.returncode != 0
    assert "/runs/2/steps/0/action" in refused.stdout + refused.stderr
    assert perdure.json("ps", "--search", "many-") == []
    assert perdure("start", *map(str, files[:2])).splitlines() == [
        "2 of 2 workflows started",
        "many-one: running",
        "many-two: running",
    ]
    assert "one workflow" in perdure.call("start", *map(str, files[:2]), "--follow").stderr


def test_ctrl_c_ends_the_watching_and_not_the_run(perdure: Perdure) -> None:
    run_id = perdure.start(LONG)
    watching = perdure.begin("show", run_id, "--follow")
    wait_for_line(watching, "long: in_progress")
    watching.send_signal(signal.SIGINT)
    assert "the run goes on" in watching.communicate(timeout=20)[0]
    assert watching.returncode == 130
    assert perdure.state(run_id)["status"] == "running"
    assert "stop" in perdure("stop", run_id)
    assert "cancelled: 1 step" in perdure("show", run_id, "--follow", expect=1)


def test_a_paused_run_begins_nothing_until_it_is_resumed(perdure: Perdure, eventually: Any) -> None:
    run_id = perdure.start({"key": "ask", "action": "wait_for_signal"}, {"key": "after", "action": "noop"})
    eventually(lambda: perdure.state(run_id)["steps"][0]["waiting_for"] == "signal", timeout_s=30)
    perdure("pause", run_id)
    perdure("signal", run_id)
    assert perdure.state(run_id)["status"] == "paused"
    assert "after: completed" in perdure("resume", run_id, "--follow")


def test_ps_names_what_a_run_waits_for(perdure: Perdure, eventually: Any) -> None:
    locked = LONG | {"locks": [{"name": "file:/srv/named"}]}
    runs = [perdure.start(locked, name="Locked"), perdure.start(locked, name="Locked")]

    def waits() -> list[str]:
        lines = perdure("ps", "--status", "active", "--search", "Locked").splitlines()
        assert lines[0].split("  ")[0] == "RUN"
        assert "WAITS FOR" in lines[0]
        return [line for line in lines[1:] if " lock:file:/srv/named " in line]

    eventually(lambda: len(waits()) == 1, timeout_s=30)
    assert waits()[0].split()[0] in runs
    for run_id in runs:
        perdure("stop", run_id)


def test_failure_ends_with_1_and_says_where_why_and_what_next(perdure: Perdure) -> None:
    broken = {"key": "broken", "action": "demo.fail", "params": {"times": 1, "permanent": True, "message": "no disk"}}
    done = perdure.call("start", "-", "--follow", given=json.dumps({"steps": [broken, NOOP]}))
    assert done.returncode == 1
    assert "broken: failed" in done.stdout
    assert re.search(r"why: .*no disk", done.stdout)
    run_id = re.search(r"perdure retry (\S+)", done.stdout)
    assert run_id is not None
    assert "completed: 2 steps" in perdure("retry", run_id[1], "--step", "broken", "--follow")


def test_followed_json_is_the_final_state_and_progress_stands_beside_it(perdure: Perdure) -> None:
    done = perdure.call("start", "-", "--follow", "--json", given=json.dumps([NOOP]))
    assert json.loads(done.stdout)["status"] == "completed"
    assert "a: completed" in done.stderr


def test_a_log_is_followed_while_it_is_written(perdure: Perdure, tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    script = f"echo begun; while [ ! -e '{go_on}' ]; do sleep 0.1; done; printf 'last line'"
    run_id = perdure.start({"key": "talk", "action": "shell.command", "params": {"argv": ["sh", "-c", script]}})
    following = perdure.begin("logs", "-f", run_id)
    wait_for_line(following, "begun")
    go_on.touch()
    rest, _ = following.communicate(timeout=30)
    assert following.returncode == 0
    assert rest.count("last line") == 1
    stored = perdure("logs", run_id, "talk")
    assert stored.count("begun") == stored.count("last line") == 1


def test_a_log_cannot_command_the_terminal(perdure: Perdure) -> None:
    text = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m plain"
    run_id = perdure.start(
        {"key": "say", "action": "python.call", "params": {"function": "builtins.print", "args": [text]}}
    )
    perdure("show", run_id, "--follow")
    assert "red plain\n" in perdure("logs", run_id, "say")
    assert "\x1b" not in perdure("logs", run_id, "say")
    coloured = perdure("logs", run_id, "say", FORCE_COLOR="1", TERM="xterm")
    assert "\x1b[31mred\x1b[0m plain\n" in coloured
    assert coloured.count("\x1b") == 2


def test_a_terminal_shows_bars(perdure: Perdure) -> None:
    run_id = perdure.start({"key": "nap", "action": "demo.sleep", "label": "Sleep well", "params": {"seconds": 1}})
    shown = in_a_terminal(perdure, "show", run_id, "--follow")
    assert "━" in shown
    assert "Sleep well" in shown
    assert "100 %" in shown
    assert re.search(r"completed: 1 step in", shown)


def in_a_terminal(perdure: Perdure, *arguments: str) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(perdure.cwd)
        os.execve(PERDURE, [str(PERDURE), *arguments], {**perdure.environment, "TERM": "xterm", "COLUMNS": "100"})
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux's way of saying that the other side has closed
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    return shown.decode()


def test_refusals_end_with_4_and_say_where_and_how_to_mend(perdure: Perdure) -> None:
    refused = [
        perdure.call("show", "no-such-run"),
        perdure.call("show", "no-such-run", "--follow"),
        perdure.call("logs", "-f", "no-such-run", "x"),
        perdure.call("start", "-", given=json.dumps([{"key": "a", "action": "no.such"}])),
        perdure.call("start", "-", given=json.dumps([{"key": "a", "action": "noop", "needs": ["b"]}])),
        perdure.call("start", "-", given=json.dumps([UNREADABLE])),
        perdure.call("start", "-", "--ssh", "ssh -o ProxyCommand=x root@h", given=json.dumps([NOOP])),
        perdure.call("ps", "--status", "nonsense"),
        perdure.call("hosts", "forget", "nonsense"),
        perdure.call("token", "revoke", "no/such"),
        perdure.call("ps", PERDURE_TOKEN="perdure_wrong"),
    ]
    for done in refused:
        assert done.returncode == 4, (done.args, done.stdout, done.stderr)
        assert done.stderr.startswith("error: ")
        assert "\n  mend: " in done.stderr, done.args
        assert "Traceback" not in done.stderr
    assert "where: /steps/0/action" in refused[3].stderr
    assert "where: /steps/0/needs" in refused[4].stderr


def test_a_control_that_means_nothing_now_is_refused(perdure: Perdure) -> None:
    run_id = perdure.start(NOOP)
    perdure("show", run_id, "--follow")
    done = perdure.call("pause", run_id)
    assert done.returncode == 4
    assert "completed" in done.stderr


def test_the_same_id_with_another_workflow_is_refused(perdure: Perdure) -> None:
    perdure.start(NOOP, workflow_id="twice")
    assert perdure.call("start", "-", "--id", "twice", given=json.dumps([LONG])).returncode == 4


def test_a_server_that_is_away_ends_with_3(perdure: Perdure) -> None:
    done = perdure.call("ps", PERDURE_URL="http://127.0.0.1:1", PERDURE_TOKEN="x")
    assert done.returncode == 3
    assert "http://127.0.0.1:1 does not answer: connection refused" in done.stderr


def test_no_token_ends_with_2(perdure: Perdure, tmp_path: Path) -> None:
    done = perdure.call("ps", PERDURE_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert "perdure up" in done.stderr


def test_a_bad_setting_ends_with_2(perdure: Perdure) -> None:
    done = perdure.call("ps", PERDURE_PORT="many")
    assert done.returncode == 2
    assert "PERDURE_PORT" in done.stderr


def test_a_second_stack_on_the_same_data_is_refused(perdure: Perdure) -> None:
    done = perdure.call("up", "--quiet")
    assert done.returncode == 2
    assert "already runs" in done.stderr


def test_the_admins_token_lies_in_a_file_of_its_owner(perdure: Perdure) -> None:
    assert (perdure.data_dir / "admin-token").stat().st_mode & 0o777 == 0o600


def test_a_sign_in_link_signs_in_once(perdure: Perdure) -> None:
    link = perdure("open").strip()
    address, _, code = link.partition("/sign-in#code=")
    session = requests.Session()
    session.trust_env = False
    tries = [session.post(f"{address}/auth/exchange", json={"code": code}).status_code for _ in range(2)]
    assert tries == [200, 401]
