from __future__ import annotations

import ipaddress
import socket

import pytest

from orchestration.actions import Permanent, Retryable
from orchestration.actions.address import AllowList, checked_addresses, why_refused

NOTHING = AllowList.parse(())


def names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> None:
    def answer(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host.replace(".", "_") not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown name")
        return [(0, 0, 0, "", (address, port)) for address in known[host.replace(".", "_")]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
    ],
)
def test_address_that_is_not_public_is_refused(address):
    assert why_refused(ipaddress.ip_address(address)) is not None


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_address_passes(address):
    assert why_refused(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "0", "[::1]", "LOCALHOST."]
)
def test_this_machine_is_refused_however_it_is_written(host):
    with pytest.raises(Permanent, match="PERDURE_HTTP_ALLOW"):
        checked_addresses(host, 80, NOTHING)


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    names(monkeypatch, mixed_test=["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Permanent, match=r"10\.0\.0\.1"):
        checked_addresses("mixed.test", 80, NOTHING)


def test_public_name_gives_its_addresses_in_order_once_each(monkeypatch):
    names(monkeypatch, public_test=["8.8.8.8", "2606:4700::1111", "8.8.8.8"])
    assert checked_addresses("public.test", 443, NOTHING) == ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize(
    ("entry", "opens"),
    [
        ("db.test", True),
        ("DB.test.", True),
        ("db.test:80", True),
        ("db.test:81", False),
        ("10.0.0.0/8", True),
        ("10.0.0.1", True),
        ("10.0.0.1/8", True),
        ("10.0.0.2", False),
        ("fd00::/8", False),
        ("other.test", False),
        ("test", False),
    ],
)
def test_operator_opens_hosts_ports_and_networks(monkeypatch, entry, opens):
    names(monkeypatch, db_test=["10.0.0.1"])
    allowed = AllowList.parse(["", entry])
    if opens:
        assert checked_addresses("Db.Test", 80, allowed) == ["10.0.0.1"]
    else:
        with pytest.raises(Permanent):
            checked_addresses("db.test", 80, allowed)


def test_ipv6_hosts_can_be_opened_with_a_port():
    allowed = AllowList.parse(["[::1]:8080"])
    assert allowed.allows("::1", 8080, ipaddress.ip_address("::1"))
    assert not allowed.allows("::1", 80, ipaddress.ip_address("::1"))


@pytest.mark.parametrize("entry", ["http://x/", "x:y", "10.0.0.0/99", ":80", "a/b"])
def test_entry_that_means_nothing_is_refused(entry):
    with pytest.raises(Permanent, match="PERDURE_HTTP_ALLOW"):
        AllowList.parse([entry])


def test_name_that_does_not_resolve_is_worth_another_attempt(monkeypatch):
    names(monkeypatch)
    with pytest.raises(Retryable):
        checked_addresses("gone.test", 80, NOTHING)


def test_what_is_no_name_is_not():
    with pytest.raises(Permanent):
        checked_addresses("a" * 70 + ".test", 80, NOTHING)
