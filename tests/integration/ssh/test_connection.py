"""Who is connected to, and what becomes of each way that can fail."""

from __future__ import annotations

import socket
import stat
import threading
import time
from pathlib import Path

import asyncssh
import pytest

from orchestration.actions.context import CancelToken
from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.actions.ssh.connection import connect
from orchestration.actions.ssh.hostkeys import forget_host
from schemas.workflow import SshTarget
from tests.support.action_context import RecordingServices, make_context
from tests.support.sandbox_host import SandboxHost
from tests.support.tcp_proxy import TcpProxy


def greet(ctx: object) -> str:
    with connect(ctx) as host:  # type: ignore[arg-type]
        return host.run("echo hello").stdout


def test_the_key_is_pinned_on_first_use_and_said(sandbox: SandboxHost, tmp_path: Path):
    said = RecordingServices()
    store = tmp_path / "new" / "known_hosts"
    for _ in range(2):
        assert greet(sandbox.context(said, settings={"known_hosts": store})) == "hello\n"
    assert said.log_text.count("pinned on first use") == 1
    assert sandbox.facts["fingerprint"] in said.log_text
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert store.read_text().startswith(f"[127.0.0.1]:{sandbox.facts['port']} ssh-ed25519 ")


def test_a_changed_host_key_is_refused_until_it_is_forgotten(sandbox: SandboxHost, tmp_path: Path):
    store = tmp_path / "known_hosts"
    settings = {"known_hosts": store}
    greet(sandbox.context(settings=settings))
    with SandboxHost.start(tmp_path / "other") as other, TcpProxy("127.0.0.1", other.facts["port"]) as proxy:
        text = store.read_text()
        port = sandbox.facts["port"]
        store.write_text(text.replace(f":{port} ", f":{proxy.port} "))
        settings["ssh_keys_dir"] = other.root / "keys"
        with pytest.raises(Permanent) as refused:
            greet(sandbox.context(settings=settings, port=proxy.port))
        for part in (sandbox.facts["fingerprint"], other.facts["fingerprint"], f"hosts forget 127.0.0.1:{proxy.port}"):
            assert part in refused.value.reason
        assert forget_host(store, "127.0.0.1", proxy.port)
        assert greet(sandbox.context(settings=settings, port=proxy.port)) == "hello\n"


def test_a_key_that_the_host_does_not_know_is_refused_for_good(sandbox: SandboxHost, tmp_path: Path):
    keys = tmp_path / "keys"
    keys.mkdir()
    other = asyncssh.generate_private_key("ssh-ed25519")
    other.write_private_key(str(keys / "sandbox"))
    with pytest.raises(Permanent, match="refused the key"):
        greet(sandbox.context(settings={"ssh_keys_dir": keys}))
    other.write_private_key(str(keys / "sandbox"), "pkcs8-pem", "a passphrase")
    with pytest.raises(Permanent, match="passphrase"):
        greet(sandbox.context(settings={"ssh_keys_dir": keys}))
    (keys / "sandbox").write_text("not a key")
    with pytest.raises(Permanent, match="cannot be read"):
        greet(sandbox.context(settings={"ssh_keys_dir": keys}))
    (keys / "sandbox").unlink()
    with pytest.raises(Permanent, match="no key 'sandbox'"):
        greet(sandbox.context(settings={"ssh_keys_dir": keys}))
    with pytest.raises(Permanent, match="PERDURE_SSH_KEYS_DIR"):
        greet(sandbox.context(settings={"ssh_keys_dir": None}))


def test_what_a_connection_carried_is_counted_once_however_it_ends(sandbox: SandboxHost, proxy: TcpProxy):
    said = RecordingServices()
    with connect(sandbox.context(said)) as host:
        done = host.run("head -c 200000 /dev/zero | tr '\\0' x", timeout_s=30)
        host.close()
    ((sent, received),) = said.network
    assert len(done.stdout) == 200_000
    # The data, and what signing in and sealing it takes beside it.
    assert 200_000 < received < 260_000
    assert 1000 < sent < 40_000
    refused = RecordingServices()

    def lose_the_link() -> None:
        with connect(sandbox.context(refused, port=proxy.port)) as host:
            proxy.cut()
            host.run("true")

    with pytest.raises(Retryable):
        lose_the_link()
    ((sent, received),) = refused.network
    assert min(sent, received) > 1000


def test_without_a_name_the_only_key_is_taken(sandbox: SandboxHost):
    target = sandbox.target().model_copy(update={"key": None})
    assert greet(make_context(host=target, settings=sandbox.settings())) == "hello\n"


@pytest.mark.parametrize(
    ("patterns", "allowed"),
    [
        (["127.0.0.1"], True),
        (["10.*", "127.*"], True),
        (["127.0.0.0/8"], True),
        (["127.0.0.1:{port}"], True),
        (["127.0.0.1:1"], False),
        (["*.example.org"], False),
        (["10.0.0.0/8"], False),
    ],
)
def test_only_allowed_hosts_are_reached(sandbox: SandboxHost, patterns: list[str], allowed: bool):
    hosts = tuple(pattern.format(port=sandbox.facts["port"]) for pattern in patterns)
    ctx = sandbox.context(settings={"ssh_hosts": hosts})
    if allowed:
        assert greet(ctx) == "hello\n"
    else:
        with pytest.raises(Permanent, match="PERDURE_SSH_HOSTS"):
            greet(ctx)


def test_a_host_that_cannot_be_reached_is_worth_another_attempt(sandbox: SandboxHost):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Retryable, match="cannot be reached"):
        greet(sandbox.context(port=port))
    target = SshTarget(host="no-such-host.invalid", user="sandbox", key="sandbox")
    with pytest.raises(Retryable, match="cannot be reached"):
        greet(make_context(host=target, settings=sandbox.settings()))


def test_a_link_that_drops_at_once_is_worth_another_attempt(sandbox: SandboxHost, proxy: TcpProxy):
    proxy.refusing = True
    with pytest.raises(Retryable, match="connection was lost"):
        greet(sandbox.context(port=proxy.port))


def test_a_host_that_says_nothing_is_given_up(sandbox: SandboxHost, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("orchestration.actions.ssh.connection.open_host.__kwdefaults__", {"timeout_s": 1.0})
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(Retryable):
        greet(sandbox.context(port=proxy.port))
    assert time.monotonic() - began < 9


def test_cancelling_ends_a_blocked_call_at_once(sandbox: SandboxHost):
    token = CancelToken()
    ctx = make_context(host=sandbox.target(), settings=sandbox.settings(), token=token)
    threading.Timer(0.5, token.cancel, ["stop"]).start()
    began = time.monotonic()
    with pytest.raises(ActionCancelled), connect(ctx) as host:
        host.run("sleep 60")
    assert time.monotonic() - began < 30


def test_the_sandbox_shows_nothing_of_the_machine(sandbox: SandboxHost):
    with connect(sandbox.context()) as host:
        seen = host.run("env; pwd; sudo id; echo status $?")
        assert f"HOME={sandbox.home}\n" in seen.stdout
        assert f"\n{sandbox.home}\n" in seen.stdout
        assert "status 1" in seen.stdout
        assert "PERDURE" not in seen.stdout
        assert str(Path.home()) + "\n" not in seen.stdout
        sftp = host.sftp()
        assert sftp.normalize(".") == str(sandbox.home)
        for outside in ("/etc/passwd", "../boot_id", str(sandbox.home.parent / "boot_id")):
            with pytest.raises(PermissionError):
                sftp.stat(outside)
        (sandbox.home / "way-out").symlink_to("/etc")
        with pytest.raises(PermissionError):
            sftp.open("way-out/passwd")
