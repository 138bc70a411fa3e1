"""The store of pinned host keys."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from orchestration.actions.outcomes import Permanent
from orchestration.actions.ssh.hostkeys import HostKey, forget_host, host_name, known_key, pin

FIRST, SECOND = HostKey("ssh-ed25519", b"first"), HostKey("ssh-ed25519", b"second")


def test_a_new_host_is_pinned_and_then_known(tmp_path: Path):
    path = tmp_path / "keys" / "known_hosts"
    assert pin(path, host_name("host", 22), FIRST)
    assert not pin(path, host_name("HOST", 22), FIRST)
    assert known_key(path, "[host]:22") == FIRST
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_same_host_on_another_port_is_another_host(tmp_path: Path):
    path = tmp_path / "known_hosts"
    pin(path, host_name("host", 22), FIRST)
    assert pin(path, host_name("host", 2222), SECOND)


def test_a_changed_key_is_refused_with_both_fingerprints_and_the_mend(tmp_path: Path):
    path = tmp_path / "known_hosts"
    pin(path, host_name("10.0.0.1", 2222), FIRST)
    with pytest.raises(Permanent) as refused:
        pin(path, host_name("10.0.0.1", 2222), SECOND)
    for part in (FIRST.fingerprint, SECOND.fingerprint, "perdure hosts forget 10.0.0.1:2222"):
        assert part in refused.value.reason
    assert known_key(path, "[10.0.0.1]:2222") == FIRST


def test_a_forgotten_host_is_pinned_anew(tmp_path: Path):
    path = tmp_path / "known_hosts"
    pin(path, host_name("[::1]", 22), FIRST)
    pin(path, host_name("other", 22), FIRST)
    assert forget_host(path, "::1", 22)
    assert not forget_host(path, "::1", 22)
    assert pin(path, host_name("::1", 22), SECOND)
    assert known_key(path, "[other]:22") == FIRST


def test_a_damaged_entry_stops_rather_than_lets_in(tmp_path: Path):
    path = tmp_path / "known_hosts"
    path.write_text("[host]:22 ssh-ed25519 ???\n")
    with pytest.raises(Permanent, match="cannot be read"):
        pin(path, "[host]:22", FIRST)


def test_many_first_uses_at_once_pin_one_key(tmp_path: Path):
    path = tmp_path / "known_hosts"
    results: list[object] = []

    def use(number: int) -> None:
        try:
            results.append(pin(path, "[host]:22", HostKey("ssh-ed25519", bytes([number % 2]))))
        except Permanent as error:
            results.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(True) == 1
    assert sum(isinstance(result, Permanent) for result in results) == 6
    assert len(path.read_text().splitlines()) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["known_hosts", "known_hosts.lock"]
