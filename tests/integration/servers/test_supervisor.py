"""The supervisor starts in order, brings back what dies, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from cli import process_logs
from cli.guarded import Launch
from cli.process_logs import ProcessLogs, printable
from cli.supervisor import ATTEMPTS_TO_START, Service, StackFailed, Supervisor
from tests.support.processes import is_alive

pytestmark = pytest.mark.integration

SLEEP = "import time; time.sleep(600)"


class Running:
    """A supervisor in a thread, and what it told."""

    def __init__(self, services, directory, terminal=None):
        self.pids = {}
        self.history = []
        self.ready = threading.Event()
        self.failure = None
        self.logs = ProcessLogs(directory, terminal)
        self.supervisor = Supervisor(services, self.logs, on_change=self._note, on_ready=self.ready.set)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _note(self, pids):
        self.pids = pids
        self.history.append(pids)

    def _run(self):
        try:
            self.supervisor.run()
        except StackFailed as error:
            self.failure = error


@pytest.fixture
def supervise(tmp_path):
    running = []

    def start(*services, terminal=None):
        running.append(Running(services, tmp_path / "logs", terminal))
        return running[-1]

    yield start
    for each in running:
        each.supervisor.kill()
        each.thread.join(30)


def service(name, code=SLEEP, **options):
    grace_s = options.pop("grace_s", 1.0)
    return Service(name, lambda: Launch(name, (sys.executable, "-c", code), grace_s=grace_s), **options)


def test_services_start_when_what_they_need_is_ready(supervise, tmp_path):
    open_gate = threading.Event()
    running = supervise(
        service("server", ready=open_gate.is_set),
        service("migrate", "open(r'%s', 'w')" % (tmp_path / "migrated"), needs=("server",), once=True),
        service(
            "web", "import os, time; os.stat(r'%s'); time.sleep(600)" % (tmp_path / "migrated"), needs=("migrate",)
        ),
    )
    assert not running.ready.wait(0.3)
    assert set(running.pids) == {"server"}
    open_gate.set()
    assert running.ready.wait(60)
    assert set(running.pids) == {"server", "web"}


@pytest.mark.fault
def test_a_process_that_dies_comes_back_and_the_others_stay(supervise, eventually):
    running = supervise(service("one"), service("two"))
    assert running.ready.wait(60)
    before = dict(running.pids)
    os.kill(before["one"], signal.SIGKILL)
    eventually(lambda: running.pids.get("one") not in (None, before["one"]))
    assert running.pids["two"] == before["two"]
    assert "one: ended with status 137" in running.logs.path("supervisor").read_text()


@pytest.mark.fault
def test_a_process_that_keeps_dying_after_it_was_ready_is_started_ever_more_slowly(supervise, tmp_path, eventually):
    flag = tmp_path / "broken"
    code = f"import os, sys, time; sys.exit(4) if os.path.exists({str(flag)!r}) else time.sleep(600)"
    running = supervise(service("one", code))
    assert running.ready.wait(60)
    flag.touch()
    os.kill(running.pids["one"], signal.SIGKILL)
    said = running.logs.path("supervisor")
    eventually(lambda: said.exists() and "status 4; starting it again in 0.8 s" in said.read_text())
    flag.unlink()
    eventually(lambda: "one" in running.pids)
    assert running.failure is None


def test_a_service_that_never_comes_up_ends_the_start_with_its_last_words(supervise):
    code = "import sys; sys.exit('no such table: \\x1b[31mred\\x07')"
    running = supervise(service("server"), service("web", code, needs=("server",), ready=lambda: False))
    running.thread.join(60)
    assert "web did not start: ended with status 1; no such table: \x1b[31mred (log: " in str(running.failure)
    assert running.logs.path("supervisor").read_text().count("web: ended") == ATTEMPTS_TO_START - 1
    assert running.pids == {}


def test_stop_ends_in_order_and_leaves_no_process(supervise):
    running = supervise(service("server", stop_order=1), service("web"), service("worker"))
    assert running.ready.wait(60)
    pids = running.pids.values()
    running.supervisor.stop()
    running.thread.join(30)
    assert not running.thread.is_alive()
    assert not any(map(is_alive, pids))
    server_alone = {"server"}
    assert server_alone in [set(each) for each in running.history]


def test_a_second_stop_does_not_wait_for_the_grace(supervise):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    running = supervise(service("web", stubborn, grace_s=60))
    assert running.ready.wait(60)
    running.supervisor.stop()
    running.supervisor.kill()
    running.thread.join(30)
    assert not running.thread.is_alive()


def test_new_lines_are_shown_with_their_process_and_without_control_characters(supervise, tmp_path, eventually):
    class Terminal:
        text = ""

        def write(self, text):
            self.text += text

        def flush(self):
            pass

        def isatty(self):
            return False

    terminal = Terminal()
    code = "import time; print('\\x1b]0;title\\x07hello\\x1b[2J \\x1b[32mgreen\\x1b[0m', flush=True); time.sleep(600)"
    supervise(service("web", code), service("worker-io"), terminal=terminal)
    eventually(lambda: "web       | ]0;titlehello[2J \x1b[32mgreen\x1b[0m\n" in terminal.text)


def test_a_log_that_grew_too_long_is_moved_away_and_its_process_goes_on_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(process_logs, "MAX_BYTES", 10)
    logs = ProcessLogs(tmp_path)
    with logs.open("web") as log:
        log.write(b"more than ten bytes\n")
        logs.cut_back()
        log.write(b"after\n")
    assert logs.path("web").read_bytes() == b"after\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"more than ten bytes\n"
    assert logs.last_line("web") == "after"


def test_only_colour_codes_pass_to_the_terminal():
    assert printable("\x1b[1;31mred\x1b[0m\x1b[2Jx\x1b]8;;u\x07\x9b1A\r\ttab") == "\x1b[1;31mred\x1b[0m[2Jx]8;;u1A\ttab"
