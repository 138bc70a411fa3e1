"""Reads a remote host as people write it: `ssh -p 2838 root@10.1.2.3`, `root@host:22`, `user@[::1] -p 2`.

Only these forms are taken. The text never reaches a shell or an ssh client, so an option that could run something
(`-o ProxyCommand=...`) has no effect to have; it is refused so that nobody believes it had one.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass, field

from orchestration.errors import InvalidWorkflow
from schemas.workflow import SshTarget

MAX_LENGTH = 400
FORM = "write it as 'ssh -p 2838 user@host', 'user@host:22' or 'user@[2001:db8::1]:22'"
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?)*\.?")


@dataclass
class _Found:
    """What was read so far; a second, different value is refused."""

    place: str
    values: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: str) -> None:
        if self.values.setdefault(name, value) != value:
            raise _refused(self.place, f"the {name} is given twice, with different values", f"give one {name}")


def parse_target(text: str, *, where: str = "ssh") -> SshTarget:
    """Read a host as people write it. An IPv6 address keeps its brackets in `host`.

    Raises: InvalidWorkflow naming the place and the mend. The message never repeats the text: it may hold a password.
    """
    found = _Found(where)
    words = _words(text, where)
    if words and words[0] == "ssh":
        words = words[1:]
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            name = {"-p": "port", "-l": "user", "-i": "key"}.get(word[:2])
            if name is None:
                raise _refused(where, f"the option {word[:2]!r} is not supported", "use only -p, -l and -i")
            if not word[2:] and not words:
                raise _refused(where, f"the option {word[:2]} has no value", f"give the {name} after {word[:2]}")
            found.put(name, word[2:] or words.pop(0))
        elif "address" in found.values:
            raise _refused(where, "more than one host, or a command, is given", "name one host and nothing after it")
        else:
            found.put("address", word)
            _split_address(found)
    if not found.values.get("host"):
        raise _refused(where, "no host is given", FORM)
    return _checked(found)


def format_target(target: SshTarget) -> str:
    """The target as an ssh command line that `parse_target` reads back to an equal target."""
    key = f" -i {target.key}" if target.key else ""
    return f"ssh -p {target.port}{key} {target.user}@{target.host}"


def _words(text: str, where: str) -> list[str]:
    if len(text) > MAX_LENGTH:
        raise _refused(where, f"the text is longer than {MAX_LENGTH} characters", FORM)
    if not text.isascii() or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise _refused(where, "the text holds control or non-ASCII characters", FORM)
    try:
        return shlex.split(text)
    except ValueError:
        raise _refused(where, "a quotation mark is not closed", FORM) from None


def _split_address(found: _Found) -> None:
    """Take `user@host:port` apart."""
    user, at, rest = found.values["address"].rpartition("@")
    if at:
        if ":" in user:
            raise _refused(
                found.place,
                "a password, or a URL, is written into the target",
                "remove it: Perdure signs in with a key from its keys directory and stores no password",
            )
        found.put("user", user)
    if rest.startswith("["):
        host, closed, port = rest[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise _refused(found.place, "the brackets around the address are not right", FORM)
        rest, port = f"[{host}]", port[1:] if port else ""
        if port == "" and found.values["address"].endswith(":"):
            raise _refused(found.place, "the port after ':' is missing", FORM)
    elif rest.count(":") > 1:
        rest, port = f"[{rest}]", ""
    else:
        rest, colon, port = rest.partition(":")
        if colon and not port:
            raise _refused(found.place, "the port after ':' is missing", FORM)
    found.put("host", rest)
    if port:
        found.put("port", port)


def _checked(found: _Found) -> SshTarget:
    host, user, port = found.values["host"], found.values.get("user", "root"), found.values.get("port", "22")
    key = found.values.get("key")
    if host.startswith("["):
        host = f"[{_ipv6(host[1:-1], found.place)}]"
    elif not _HOST.fullmatch(host) or len(host) > 253:
        raise _refused(found.place, "the host is neither a name nor an address", FORM)
    if not _USER.fullmatch(user):
        raise _refused(found.place, "the user name is not valid", "use lower-case letters, digits, '_', '.' and '-'")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise _refused(found.place, "the port is not a number from 1 to 65535", "give the port as a number")
    if key is not None and not _KEY.fullmatch(key):
        raise _refused(
            found.place, "-i must name a key, not a path", "put the key into the keys directory and give its file name"
        )
    return SshTarget(host=host, user=user, port=int(port), key=key)


def _ipv6(text: str, where: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise _refused(where, "the address in brackets is not an IPv6 address", FORM) from None
    if address.scope_id:
        raise _refused(where, "an address with a zone ('%...') cannot be used", "use a global address or a name")
    return address.compressed


def _refused(where: str, why: str, mend: str) -> InvalidWorkflow:
    return InvalidWorkflow(f"{where}: {why}; {mend}", where=where, mend=mend)
