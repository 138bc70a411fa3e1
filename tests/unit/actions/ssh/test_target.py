"""Reading a host as people write it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.actions.ssh.target import format_target, parse_target
from orchestration.errors import InvalidWorkflow
from schemas.workflow import SshTarget

LABEL = st.from_regex(r"\A[A-Za-z0-9]([A-Za-z0-9_-]{0,10}[A-Za-z0-9])?\Z")
HOSTS = st.one_of(
    st.lists(LABEL, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{ipaddress.IPv6Address(int(address)).compressed}]"),
)
TARGETS = st.builds(
    SshTarget,
    host=HOSTS,
    user=st.from_regex(r"\A[a-z_][a-z0-9_.-]{0,31}\Z"),
    port=st.integers(1, 65535),
    key=st.none() | st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh -p 2838 root@10.1.2.3", SshTarget(host="10.1.2.3", port=2838)),
        ("root@host:22", SshTarget(host="host")),
        ("user@host -p 2", SshTarget(host="host", user="user", port=2)),
        ("  ssh   root@ssh5.example.org   -p2838 ", SshTarget(host="ssh5.example.org", port=2838)),
        ("ssh -l ubuntu -i lab host", SshTarget(host="host", user="ubuntu", key="lab")),
        ("ssh -lubuntu -ilab ubuntu@host", SshTarget(host="host", user="ubuntu", key="lab")),
        ("10.0.0.7", SshTarget(host="10.0.0.7")),
        ("root@[::1]:2222", SshTarget(host="[::1]", port=2222)),
        ("ssh -p 2222 root@2001:db8::1", SshTarget(host="[2001:db8::1]", port=2222)),
        ("root@[2001:DB8:0:0::1]", SshTarget(host="[2001:db8::1]")),
        ("'root'@\"host\"", SshTarget(host="host")),
        ("ssh -p 22 root@host:22", SshTarget(host="host")),
    ],
)
def test_the_usual_forms_are_read(text: str, expected: SshTarget):
    assert parse_target(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no host"),
        ("ssh", "no host"),
        ("ssh -p 22", "no host"),
        ("ssh -p", "no value"),
        ("ssh -o ProxyCommand=evil root@host", "'-o'"),
        ("ssh -oProxyCommand=evil root@host", "'-o'"),
        ("ssh -J jump root@host", "'-J'"),
        ("ssh -A root@host", "'-A'"),
        ("ssh --proxy root@host", "'--'"),
        ("ssh root@host reboot", "a command"),
        ("ssh root@host; reboot", "a command|neither a name"),
        ("ssh root@host && id", "a command"),
        ("sshpass -p x ssh root@host", "a command|password|port"),
        ("root@$(id)", "neither a name"),
        ("root@`id`", "neither a name"),
        ("root:hunter2@host", "password"),
        ("ssh://root:hunter2@host", "password"),
        ("ssh://host", "neither a name|IPv6|port"),
        ("Root@host", "user name"),
        ("-oProxyCommand=x@host", "'-o'"),
        ("root@-host", "neither a name"),
        ("root@host:0", "port"),
        ("root@host:65536", "port"),
        ("root@host:", "port"),
        ("root@[::1]:", "port"),
        ("root@[::1", "brackets"),
        ("root@[::1]x", "brackets"),
        ("root@[::g]", "IPv6"),
        ("root@fe80::1%eth0", "zone"),
        ("ssh -p 22 root@host:23", "port is given twice"),
        ("ssh -l a b@host", "user is given twice"),
        ("ssh -i ~/.ssh/id_rsa root@host", "not a path"),
        ("ssh -i ../key root@host", "not a path"),
        ("root@host 'x", "quotation"),
        ("root@host\nreboot", "control"),
        ("root@hóst", "non-ASCII"),
        ("root@" + "h" * 500, "longer"),
        ("root@host:٢٢", "non-ASCII"),
        ("ssh -p 22abc root@host", "port"),
        ("@host", "user name"),
        ("root@", "no host"),
    ],
)
def test_everything_else_is_refused_with_place_and_mend(text: str, why: str):
    with pytest.raises(InvalidWorkflow, match=why) as refused:
        parse_target(text, where="/ssh_connection")
    assert refused.value.where == "/ssh_connection"
    assert refused.value.mend


@pytest.mark.parametrize("text", ["root:hunter2@host", "ssh://u:hunter2@h", "ssh -ohunter2 h", "root@host hunter2 x"])
def test_what_may_be_a_password_is_not_repeated(text: str):
    with pytest.raises(InvalidWorkflow) as refused:
        parse_target(text)
    assert "hunter2" not in str(refused.value) + str(refused.value.mend)


@given(TARGETS)
def test_a_target_survives_being_written_and_read(target: SshTarget):
    assert parse_target(format_target(target)) == target


@given(st.text(max_size=60) | st.text(alphabet="shp -lio@:[]0129.abf'\"\\%/~=$;", max_size=40))
def test_any_text_is_read_or_refused_and_never_crashes(text: str):
    try:
        target = parse_target(text)
    except InvalidWorkflow:
        return
    assert parse_target(format_target(target)) == target
