"""Copying directories over SFTP: what has the same size and time is skipped, an interrupted file is gone on with."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.actions.ssh.connection import Host, reason_of
from orchestration.actions.ssh.local_side import Entry, local_entries, make_folder

if TYPE_CHECKING:
    import paramiko

PIECE = 32 * 1024  # what every server takes in one request
MAX_FILES = 100_000
REFUSED = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)

Report = Callable[[int, int], None]
"""Told (bytes done, bytes in all) as the copy goes on."""


def push(ctx: ActionContext, host: Host, local: Path, remote: str, report: Report) -> tuple[int, int]:
    """Copy what lies under `local` to `remote`. Answers how many files were copied and how many were looked at."""
    entries = list(local_entries(local))
    base = local if local.is_dir() else local.parent
    with _session(host, ctx) as sftp:
        made: set[str] = set()

        def copy(entry: Entry, said: Callable[[int], None]) -> bool:
            target = PurePosixPath(remote, entry.path)
            _make_remote(sftp, target.parent, made)
            return _push_one(ctx, sftp, base / entry.path, str(target), entry, said)

        return _copy_all(entries, copy, report), len(entries)


def pull(ctx: ActionContext, host: Host, remote: str, local: Path, report: Report) -> tuple[int, int]:
    """Copy what lies under `remote` to `local`. Answers how many files were copied and how many were looked at."""
    with _session(host, ctx) as sftp:
        state = sftp.stat(remote)
        single = not stat.S_ISDIR(state.st_mode or 0)
        name = PurePosixPath(remote).name
        entries = [Entry(_safe(name), state.st_size or 0, state.st_mtime or 0)] if single else list(_walk(sftp, remote))
        base = str(PurePosixPath(remote).parent) if single else remote
        local.mkdir(parents=True, exist_ok=True)

        def copy(entry: Entry, said: Callable[[int], None]) -> bool:
            folder = make_folder(local, os.path.dirname(entry.path))  # noqa: PTH120 - relative, checked there
            target = folder / PurePosixPath(entry.path).name
            return _pull_one(ctx, sftp, str(PurePosixPath(base, entry.path)), target, entry, said)

        return _copy_all(entries, copy, report), len(entries)


def _copy_all(entries: list[Entry], copy: Callable[[Entry, Callable[[int], None]], bool], report: Report) -> int:
    if len(entries) > MAX_FILES:
        raise Permanent(f"there are {len(entries)} files; at most {MAX_FILES} can be synced in one step")
    total = sum(entry.size for entry in entries)
    before = copied = 0
    for entry in entries:
        start = before
        copied += copy(entry, lambda done, start=start: report(start + done, total))  # type: ignore[misc]
        before += entry.size
        report(before, total)
    return copied


def _push_one(
    ctx: ActionContext, sftp: paramiko.SFTPClient, source: Path, target: str, entry: Entry, said: Callable[[int], None]
) -> bool:
    state = _stat(sftp, target)
    if state is not None and (state.st_size, state.st_mtime) == (entry.size, entry.changed_at):
        return False
    part = _part(target, entry)
    begun = _stat(sftp, part)
    offset = begun.st_size or 0 if begun is not None and (begun.st_size or 0) <= entry.size else 0
    with _open_local(source, os.O_RDONLY) as reader, sftp.open(part, "r+" if offset else "w") as writer:
        reader.seek(offset)
        writer.seek(offset)
        writer.set_pipelined(True)
        while data := reader.read(PIECE):
            ctx.raise_if_cancelled()
            writer.write(data)
            offset += len(data)
            said(min(offset, entry.size))
    sftp.utime(part, (entry.changed_at, entry.changed_at))
    sftp.chmod(part, stat.S_IMODE(source.lstat().st_mode) & 0o777)
    sftp.posix_rename(part, target)
    return True


def _pull_one(
    ctx: ActionContext, sftp: paramiko.SFTPClient, source: str, target: Path, entry: Entry, said: Callable[[int], None]
) -> bool:
    if target.is_file() and not target.is_symlink():
        state = target.lstat()
        if (state.st_size, int(state.st_mtime)) == (entry.size, entry.changed_at):
            return False
    part = Path(_part(str(target), entry))
    offset = part.lstat().st_size if part.is_file() and not part.is_symlink() else 0
    offset = offset if offset <= entry.size else 0
    with sftp.open(source, "rb") as reader, _open_local(part, os.O_RDWR | os.O_CREAT) as writer:
        writer.truncate(offset)
        writer.seek(offset)
        reader.seek(offset)
        reader.prefetch(entry.size, 64)
        while data := reader.read(PIECE):
            ctx.raise_if_cancelled()
            writer.write(data)
            offset += len(data)
            said(min(offset, entry.size))
    os.utime(part, (entry.changed_at, entry.changed_at))
    part.replace(target)
    return True


def _walk(sftp: paramiko.SFTPClient, remote: str, relative: str = "") -> Iterator[Entry]:
    for item in sorted(sftp.listdir_attr(str(PurePosixPath(remote, relative))), key=lambda item: item.filename):
        name = f"{relative}/{_safe(item.filename)}" if relative else _safe(item.filename)
        mode = item.st_mode or 0
        if stat.S_ISDIR(mode):
            yield from _walk(sftp, remote, name)
        elif stat.S_ISREG(mode) and not name.endswith(".perdure-part"):
            yield Entry(name, item.st_size or 0, item.st_mtime or 0)


def _safe(name: str) -> str:
    """A file name from the host. Raises: Permanent for one that would lead elsewhere."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\x00" in name:
        raise Permanent(f"the host offers the file name {name!r}, which cannot be used here")
    return name


def _part(target: str, entry: Entry) -> str:
    """Where a file grows. The name tells which state of the file it is, so that only that one is gone on with."""
    path = PurePosixPath(target)
    return str(path.with_name(f".{path.name[:150]}.{entry.size}-{entry.changed_at}.perdure-part"))


def _make_remote(sftp: paramiko.SFTPClient, folder: PurePosixPath, made: set[str]) -> None:
    for path in (*reversed(folder.parents), folder):
        text = str(path)
        if text in made or text in (".", "/"):
            continue
        if _stat(sftp, text) is None:
            sftp.mkdir(text, 0o755)
        made.add(text)


def _stat(sftp: paramiko.SFTPClient, path: str) -> paramiko.SFTPAttributes | None:
    try:
        return sftp.stat(path)
    except FileNotFoundError:
        return None


def _open_local(path: Path, flags: int) -> IO[bytes]:
    """Open a local file, not through a link."""
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    return os.fdopen(handle, "rb" if flags == os.O_RDONLY else "r+b")


@contextmanager
def _session(host: Host, ctx: ActionContext) -> Iterator[paramiko.SFTPClient]:
    """An SFTP session. Raises: Permanent when something is refused or missing, Retryable for the rest."""
    import paramiko

    sftp = host.sftp()
    try:
        yield sftp
    except (paramiko.SSHException, EOFError, OSError) as error:
        ctx.raise_if_cancelled()
        if isinstance(error, OSError) and error.errno in REFUSED and host.transport.is_active():
            raise Permanent(f"the sync was refused: {error}") from None
        raise Retryable(f"the sync broke off: {reason_of(error)}") from None
    finally:
        with suppress(EOFError, OSError, paramiko.SSHException):
            sftp.close()
