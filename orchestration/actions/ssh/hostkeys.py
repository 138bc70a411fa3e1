"""Host keys, pinned on first use in a file of OpenSSH's known_hosts form whose names are always `[host]:port`."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.actions.outcomes import Permanent


@dataclass(frozen=True)
class HostKey:
    """A public key of a host: its type, such as `ssh-ed25519`, and its bytes."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As ssh shows it: `SHA256:...`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def host_name(host: str, port: int) -> str:
    """The name a host is stored under, `[host]:port`. The brackets of an IPv6 address are not doubled."""
    return f"[{host.strip('[]').lower()}]:{port}"


def known_key(path: Path, name: str) -> HostKey | None:
    """The key pinned for `name`, None if the host is new."""
    for line in _lines(path):
        words = line.split()
        if len(words) >= 3 and words[0] == name:
            try:
                return HostKey(words[1], base64.b64decode(words[2], validate=True))
            except binascii.Error:
                raise Permanent(
                    f"the pinned key of {name} in {path.name} cannot be read; `perdure hosts forget {_plain(name)}`"
                ) from None
    return None


def known_hosts(path: Path) -> list[tuple[str, HostKey]]:
    """All hosts with a pinned key, as people type them, in the order in which they were pinned."""
    names = [words[0] for line in _lines(path) if len(words := line.split()) >= 3]
    return [(_plain(name), key) for name in dict.fromkeys(names) if (key := known_key(path, name)) is not None]


def pin(path: Path, name: str, key: HostKey) -> bool:
    """Accept `key` if it is the pinned one, or pin it if the host is new. True if it was new.

    Raises: Permanent with both fingerprints when another key is pinned.
    """
    with _locked(path):
        known = known_key(path, name)
        if known is None:
            line = f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n"
            _replace(path, [*_lines(path), line])
            return True
    if known != key:
        raise Permanent(
            f"the host key of {name} changed: known {known.fingerprint}, offered {key.fingerprint}. Nothing was sent. "
            f"If the host was set up anew, accept its key with `perdure hosts forget {_plain(name)}` and retry",
            details={"host": name, "known": known.fingerprint, "offered": key.fingerprint},
        )
    return False


def forget_host(path: Path, host: str, port: int) -> bool:
    """Remove a host's pinned key, so that the next connection pins anew. False if none was pinned."""
    name = host_name(host, port)
    with _locked(path):
        lines = list(_lines(path))
        kept = [line for line in lines if line.split()[:1] != [name]]
        if len(kept) == len(lines):
            return False
        _replace(path, kept)
    return True


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []


def _plain(name: str) -> str:
    """`[host]:port` as people type it; an IPv6 address keeps its brackets."""
    host, _, port = name[1:].partition("]:")
    return f"{name}" if ":" in host else f"{host}:{port}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file's lock; it lies beside the file, because the file itself is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, lines: list[str]) -> None:
    """Write the file anew, mode 0600, so that a reader sees the old or the new one and never a half."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(line if line.endswith("\n") else line + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
