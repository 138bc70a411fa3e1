"""The guard ends its command when the parent dies, however that happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from cli.guarded import CommandNotStarted, Guarded, Launch
from settings import ROOT
from tests.support.processes import is_alive

pytestmark = pytest.mark.integration

# Ignores SIGTERM, and so does the child it starts in the same group.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time\\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\nprint(1, flush=True)\\ntime.sleep(600)"], stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(600)
"""

# Starts what its arguments say behind a guard, says the command's pid and waits to be killed.
PARENT = """
import subprocess, sys, time
from cli.guarded import Guarded, Launch
guarded = Guarded(Launch("test", tuple(sys.argv[1:]), grace_s=0.5), subprocess.DEVNULL)
print(guarded.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start():
    started = []

    def start_(*argv, **options):
        started.append(Guarded(Launch("test", argv, **options), subprocess.DEVNULL))
        return started[-1]

    yield start_
    for guarded in started:
        with contextlib.suppress(OSError):
            guarded.kill()
            guarded.wait(30)
            guarded.close()


def test_exit_status_is_the_commands_own(start):
    assert start(sys.executable, "-c", "raise SystemExit(3)").wait(30) == 3
    assert start(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)").wait(30) == 128 + 9


def test_a_program_that_is_missing_is_an_error_with_its_name(start):
    with pytest.raises(CommandNotStarted, match="/no/such/program"):
        start("/no/such/program")


def test_stop_sends_the_stop_signal_and_gives_the_grace(start):
    guarded = start("sleep", "600", stop_signal=signal.SIGINT)
    guarded.stop()
    assert guarded.wait(30) == 128 + signal.SIGINT


def test_what_ignores_the_stop_is_killed_after_the_grace_with_all_its_group(start, tmp_path, eventually):
    note = tmp_path / "child"
    guarded = start(sys.executable, "-c", STUBBORN, str(note), grace_s=0.3)
    child = int(eventually(lambda: note.exists() and note.read_text()))
    asked = time.monotonic()
    guarded.stop()
    assert guarded.wait(30) == 128 + signal.SIGKILL
    assert time.monotonic() - asked >= 0.3
    eventually(lambda: not is_alive(child))


def test_kill_takes_no_grace(start, tmp_path, eventually):
    note = tmp_path / "child"
    guarded = start(sys.executable, "-c", STUBBORN, str(note), grace_s=60)
    eventually(note.exists)
    guarded.kill()
    assert guarded.wait(30) == 128 + signal.SIGKILL


@pytest.mark.fault
def test_killing_the_parent_leaves_no_child_even_one_that_ignores_signals(tmp_path, eventually):
    note = tmp_path / "child"
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", STUBBORN, str(note)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        pid = int(parent.stdout.readline())
        child = int(eventually(lambda: note.exists() and note.read_text()))
        parent.kill()
    eventually(lambda: not is_alive(pid) and not is_alive(child))


@pytest.mark.fault
def test_killing_the_guard_ends_its_command(start, eventually):
    guarded = start("sleep", "600")
    os.kill(guarded._guard.pid, signal.SIGKILL)
    assert guarded.wait(30) == 128 + signal.SIGKILL
    eventually(lambda: not is_alive(guarded.pid))
