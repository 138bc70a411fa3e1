"""`perdure up` as a process: the whole stack, its end however it comes, and the next start on the same data."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import psutil
import psycopg2
import pytest

from cli import supervisor
from cli.processes import environment_of
from cli.servers.ports import free_port, free_port_pair
from cli.up import CannotStart, Stack, warnings
from settings import ROOT, STACK_FILE, load_settings
from tests.support.processes import is_alive

pytestmark = [pytest.mark.integration, pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(180)]

UP = """
import sys
from cli.supervisor import StackFailed
from cli.up import CannotStart, run_up
from settings import load_settings
try:
    run_up(load_settings(attach=False), terminal=sys.stdout, on_ready=lambda: print("all is up", flush=True))
except (CannotStart, StackFailed) as error:
    sys.exit(str(error))
"""
WORKERS = {"worker-io", "worker-interactive", "worker-cpu", "worker-cpu-interactive"}
PROGRAMS = {"postgres", "valkey", "web", "relay", *WORKERS, "flower"}


class Up:
    def __init__(self, data_dir, ports):
        self.data_dir = data_dir
        env = os.environ | {"PERDURE_DATA_DIR": str(data_dir)} | ports
        self.process = subprocess.Popen(
            [sys.executable, "-c", UP], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""

    def wait_until_up(self):
        for line in self.process.stdout:
            self.said += line
            if line.startswith("all is up"):
                return self
        raise AssertionError(self.said)

    @property
    def known(self):
        return json.loads((self.data_dir / STACK_FILE).read_text())

    def end(self, number=signal.SIGINT, timeout_s=60):
        began = time.monotonic()
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=timeout_s)[0]
        return time.monotonic() - began


@pytest.fixture(scope="module")
def data_dir(session_dir):
    return session_dir / "whole stack"  # a path with a space


@pytest.fixture(scope="module")
def ports():
    names = ("PERDURE_PORT", "PERDURE_RELAY_PORT", "PERDURE_FLOWER_PORT")
    return {name: str(free_port()) for name in names}


@pytest.fixture
def up(data_dir, ports):
    started = []

    def start():
        started.append(Up(data_dir, ports))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end()


def get(url, path, **headers):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request("GET", path, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_stack_heals_outlives_its_supervisor_in_its_data_and_ends_with_one_ctrl_c(up, data_dir, eventually):
    first = up().wait_until_up()
    known = first.known
    assert set(known["processes"]) == PROGRAMS
    assert get(known["web_url"], "/healthz") == 200
    assert get(known["flower_url"], "/api/workers") == 401
    check_that_no_command_line_holds_a_secret(known)
    execute(known["database_url"], "CREATE TABLE kept (value int)")

    for name in ("postgres", "web"):
        before = first.known["processes"][name]
        os.kill(before, signal.SIGKILL)
        eventually(lambda n=name, b=before: first.known["processes"].get(n) not in (None, b), timeout_s=60)
    eventually(lambda: get_quietly(known["web_url"]) == 200, timeout_s=60)
    eventually(lambda: connects(known["database_url"]), timeout_s=60)

    pids = first.known["processes"].values()
    first.end(signal.SIGKILL)
    second = up()  # at once: it waits for what is just ending
    second.wait_until_up()
    assert not [pid for pid in pids if is_alive(pid)]
    execute(second.known["database_url"], "SELECT count(*) FROM kept")

    third = up()
    third.process.wait(60)
    assert f"perdure already runs on {second.data_dir} (pid {second.process.pid})" in third.process.stdout.read()

    pids = [second.process.pid, *second.known["processes"].values()]
    assert second.end() < 3 * 10
    assert second.process.returncode == 0, second.said
    assert not [pid for pid in pids if is_alive(pid)]
    assert not (data_dir / STACK_FILE).exists()


def check_that_no_command_line_holds_a_secret(known):
    urls = (known["database_url"], known["redis_url"])
    secrets = [known["flower_password"], *(urlsplit(url).password for url in urls)]
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        assert not any(secret in command for secret in secrets), command


def execute(url, sql):
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
    connection.close()


def connects(url):
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def get_quietly(url):
    try:
        return get(url, "/healthz")
    except OSError:
        return None


def test_a_busy_port_is_one_sentence_with_port_holder_and_setting(tmp_path):
    settings = load_settings(data_dir=tmp_path / "up", port=free_port_pair())
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", settings.relay_port))
        taker.listen()
        with pytest.raises(CannotStart) as caught:
            Stack(settings).run()
    said = str(caught.value)
    assert f"port {settings.relay_port} is in use by " in said
    assert str(os.getpid()) in said
    assert "PERDURE_RELAY_PORT" in said


def test_a_database_that_cannot_be_reached_ends_the_start_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "ATTEMPTS_TO_START", 1)
    url = f"postgresql://app:hush@127.0.0.1:{free_port()}/perdure"
    settings = load_settings(data_dir=tmp_path / "up", port=free_port_pair(), database_url=url, redis_url="redis://x/0")
    with pytest.raises(Exception, match="migrate did not start") as caught:
        Stack(settings).run()
    assert "hush" not in str(caught.value)


def test_settings_reach_other_processes_as_variables(monkeypatch, tmp_path):
    settings = load_settings(
        data_dir=tmp_path, port=9000, actions=("a", "b"), action_defaults={"x": {"y": 1}}, testing=True
    )
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_variables_that_are_no_settings_and_open_addresses_are_warned_of(monkeypatch):
    monkeypatch.setenv("PERDURE_PROT", "9000")
    monkeypatch.setenv("PERDURE_SECRET_KEY", "x")
    said = list(warnings(load_settings(host="0.0.0.0")))
    assert len(said) == 2
    assert "TLS" in said[0]
    assert "PERDURE_PROT" in said[1]
