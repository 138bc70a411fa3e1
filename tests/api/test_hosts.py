"""Pinned host keys over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from orchestration.actions.ssh.hostkeys import HostKey, host_name, known_key, pin
from settings import Settings

KEY = HostKey("ssh-ed25519", b"a key")


@pytest.fixture
def store(settings: Settings) -> Path:
    path = settings.data_dir / "known_hosts"
    pin(path, host_name("10.1.2.3", 2838), KEY)
    pin(path, host_name("::1", 22), KEY)
    return path


def test_pinned_hosts_are_listed_as_people_type_them(viewer: FlaskClient, store: Path) -> None:
    answer = viewer.get("/hosts").json
    assert answer is not None
    assert [(each["host"], each["fingerprint"]) for each in answer["hosts"]] == [
        ("10.1.2.3:2838", KEY.fingerprint),
        ("[::1]:22", KEY.fingerprint),
    ]


def test_there_is_nothing_to_list_before_the_first_host(viewer: FlaskClient) -> None:
    answer = viewer.get("/hosts").json
    assert answer is not None
    assert answer["hosts"] == []


@pytest.mark.parametrize("address", ["10.1.2.3:2838", "[::1]:22"])
def test_an_operator_forgets_a_key_and_it_is_recorded(
    operator: FlaskClient, admin: FlaskClient, store: Path, address: str
) -> None:
    assert operator.delete(f"/hosts/{address}").status_code == 200
    answer = admin.get("/audit").json
    assert answer is not None
    record = answer["records"][0]
    assert (record["actor"], record["action"], record["target"]) == ("operator", "hosts.forget", address)
    host, _, port = address.rpartition(":")
    assert known_key(store, host_name(host, int(port))) is None
    assert operator.delete(f"/hosts/{address}").status_code == 404


def test_a_viewer_forgets_nothing(viewer: FlaskClient, store: Path) -> None:
    assert viewer.delete("/hosts/10.1.2.3:2838").status_code == 403
    assert known_key(store, host_name("10.1.2.3", 2838)) == KEY


@pytest.mark.parametrize("address", ["nonsense", "10.1.2.3", "10.1.2.3:0", "10.1.2.3:99999", "-x:22 y", "a:b:22"])
def test_what_is_no_address_is_refused_with_its_mend(operator: FlaskClient, store: Path, address: str) -> None:
    answer = operator.delete(f"/hosts/{address}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["mend"]
