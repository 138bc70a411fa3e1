"""PostgreSQL and Valkey as embedded servers: one owner, no loss, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys

import psutil
import psycopg2
import pytest
import redis

from cli.servers import EmbeddedPostgres, EmbeddedValkey, ServerNotStarted
from settings import ROOT
from tests.support.processes import is_alive

pytestmark = pytest.mark.integration

LAUNCHER = """
import sys, time
from cli.servers import EmbeddedPostgres, EmbeddedValkey
server = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}[sys.argv[1]](sys.argv[2], fsync=False)
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(params=[EmbeddedPostgres, EmbeddedValkey], ids=lambda kind: kind.name)
def server(request, fast_dir):
    server = request.param(fast_dir / f"own-{request.param.name}-{os.urandom(3).hex()}", fsync=False)
    yield server
    server.stop()


@contextlib.contextmanager
def take(port):
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", port))
        taker.listen()
        yield


def write(server, value):
    if isinstance(server, EmbeddedPostgres):
        connection = psycopg2.connect(server.url)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS kept (value text)")
            cursor.execute("INSERT INTO kept VALUES (%s)", (value,))
        connection.close()
    else:
        with redis.Redis.from_url(server.url) as client:
            client.rpush("kept", value)


def read(server):
    if isinstance(server, EmbeddedPostgres):
        connection = psycopg2.connect(server.url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT value FROM kept")
            rows = [row[0] for row in cursor.fetchall()]
        connection.close()
        return rows
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        return client.lrange("kept", 0, -1)


def test_data_port_and_password_stay_over_a_restart_in_order(server):
    url = server.start()
    write(server, "a")
    server.stop()
    again = type(server)(server.data_dir, fsync=False)
    try:
        assert again.start() == url
        assert read(again) == ["a"]
    finally:
        again.stop()


@pytest.mark.fault
def test_what_was_written_is_there_after_a_kill(server):
    url = server.start()
    write(server, "a")
    server.kill()
    with pytest.raises((psycopg2.OperationalError, redis.ConnectionError)):
        server.check()
    assert server.restart() == url
    assert read(server) == ["a"]


def test_a_second_launcher_attaches_and_does_not_stop_what_it_did_not_start(server):
    server.start()
    second = type(server)(server.data_dir)
    assert second.start() == server.url
    assert not second.owned
    second.stop()
    server.check()


@pytest.mark.fault
def test_a_killed_launcher_leaves_no_server_and_the_next_one_starts(server, eventually):
    command = [sys.executable, "-c", LAUNCHER, server.name, str(server.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as launcher:
        pid = int(launcher.stdout.readline())
        launcher.kill()
    eventually(lambda: not is_alive(pid))
    server.start()
    assert server.owned


def test_a_wrong_password_is_refused_and_secrets_are_for_their_owner_only(server):
    server.start()
    other = type(server)(server.data_dir)
    other.port, other.password = server.port, "wrong"
    assert not other.ready()
    for path in server.data_dir.rglob("*"):
        # Nobody but the owner may read what holds the password, and nobody may enter the data.
        if path.is_file() and server.password in path.read_text(errors="ignore"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((server.data_dir / "data").stat().st_mode) == 0o700
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())


def test_a_port_taken_while_the_server_was_down_is_said_with_its_holder(server):
    server.start()
    server.kill()
    said = f"port {server.port} of {server.name} is in use by"
    with take(server.port), pytest.raises(ServerNotStarted, match=said):
        server.restart()
    server.restart()


def test_a_first_start_takes_another_port_when_the_saved_one_is_busy(server):
    server.start()
    port = server.port
    server.stop()
    with take(port):
        other = type(server)(server.data_dir, fsync=False)
        other.start()
        assert other.port != port
        other.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_as_root_the_server_runs_as_nobody_and_parents_keep_their_permissions(server):
    parent = server.data_dir.parent
    before = stat.S_IMODE(parent.stat().st_mode)
    server.start()
    assert psutil.Process(server.pid).username() == "nobody"
    assert stat.S_IMODE(parent.stat().st_mode) == before


@pytest.mark.fault
def test_a_stale_pid_file_with_a_number_in_use_does_not_stop_a_start(fast_dir):
    server = EmbeddedPostgres(fast_dir / "stale", fsync=False)
    server.start()
    server.kill()
    pid_file = server.cluster / "postmaster.pid"
    _, rest = pid_file.read_text().split("\n", 1)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        pid_file.write_text(f"{stranger.pid}\n{rest}")
        server.restart()
        stranger.kill()
    server.stop()


def test_postgres_stops_at_once_with_a_client_connected(fast_dir):
    server = EmbeddedPostgres(fast_dir / "busy", fsync=False)
    server.start()
    connection = psycopg2.connect(server.url)
    process = psutil.Process(server.pid)
    os.kill(server.pid, signal.SIGINT)
    process.wait(30)
    connection.close()
    server.stop()


def test_wipe_loses_everything_on_the_same_port(private_valkey):
    url = private_valkey.url
    write(private_valkey, "a")
    private_valkey.wipe()
    assert private_valkey.url == url
    assert read(private_valkey) == []
