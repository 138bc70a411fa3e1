"""One SSH connection of an attempt: keys by name, host keys pinned, every wait bounded."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.actions.context import ActionContext
from orchestration.actions.network import Tap, count
from orchestration.actions.outcomes import Permanent, Retryable
from orchestration.actions.ssh.channels import ChannelReader
from orchestration.actions.ssh.hostkeys import HostKey, host_name, known_key, pin
from schemas.workflow import SshTarget

if TYPE_CHECKING:
    import paramiko

CONNECT_S = 15.0
KEEPALIVE_S = 15
MAX_OUTPUT = 256 * 1024
# The first line a session runs; the script follows on standard input, so that no argument list ever shows it.
# dd reads exactly so many bytes and leaves the rest of the input to the script.
_LOADER = "exec sh -c 'eval \"$(dd bs=1 count=$1 2>/dev/null)\"' perdure"


@dataclass(frozen=True)
class Completed:
    """How a short remote script ended. Its output is cut at 256 KiB."""

    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """The last lines of what it wrote, for an error message."""
        return (self.stderr.strip() or self.stdout.strip())[-500:]


class KeyRefused(Permanent):
    """The host did not accept the key."""


class Host:
    """An open connection. Channels may be opened from several threads."""

    def __init__(self, transport: paramiko.Transport, target: SshTarget, end: Callable[[], None]) -> None:
        self.transport = transport
        self.target = target
        self._end = end

    def open_script(self, script: str, args: Sequence[str] = (), *, stdin: bytes = b"") -> paramiko.Channel:
        """Start a POSIX sh script on the host; it sees `args` as $2, $3... ($1 is its length) and `stdin` as its input.

        The input stays open. Raises: Retryable when the link is down.
        """
        code = script.encode()
        if b"\x00" in code:
            raise ValueError("a script cannot hold NUL characters")
        with self._link():
            channel = self.transport.open_session(timeout=CONNECT_S)
            channel.settimeout(CONNECT_S)
            channel.exec_command(f"{_LOADER} {len(code)} {' '.join(shlex.quote(arg) for arg in args)}")
            channel.sendall(code + stdin)
        return channel

    def run(self, script: str, args: Sequence[str] = (), *, stdin: bytes = b"", timeout_s: float = 60) -> Completed:
        """Run a short script to its end and answer its output.

        Raises: Retryable when the link is lost or the script takes longer than `timeout_s`.
        """
        end = time.monotonic() + timeout_s
        out, err = bytearray(), bytearray()
        with self._link(), ChannelReader(self.open_script(script, args, stdin=stdin)) as reader:
            reader.channel.shutdown_write()
            while not reader.ended:
                left = end - time.monotonic()
                if left <= 0:
                    raise Retryable(f"{self.target.address}: no answer within {timeout_s:g} s")
                for kept, piece in zip((out, err), reader.read(left), strict=True):
                    kept += piece[: MAX_OUTPUT - len(kept)]
            reader.channel.status_event.wait(CONNECT_S)
            status = reader.channel.exit_status
        if status < 0:
            raise Retryable(f"{self.target.address}: the connection was lost")
        return Completed(status, _text(out), _text(err))

    def sftp(self) -> paramiko.SFTPClient:
        """An SFTP session on this connection."""
        import paramiko

        with self._link():
            client = paramiko.SFTPClient.from_transport(self.transport)
        if client is None:
            raise Retryable(f"{self.target.address}: no SFTP session could be opened")
        return client

    def close(self) -> None:
        """Close the connection; blocked calls on it end at once."""
        with suppress(Exception):
            self.transport.close()
        self._end()

    @contextmanager
    def _link(self) -> Iterator[None]:
        with link_errors(self.target):
            yield


@contextmanager
def link_errors(target: SshTarget) -> Iterator[None]:
    """Turn the errors of a broken link into Retryable."""
    import paramiko

    try:
        yield
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Retryable(f"{target.address}: the connection was lost ({reason_of(error)})") from None


@contextmanager
def connect(ctx: ActionContext) -> Iterator[Host]:
    """Connect to the run's host for the time of the block; cancelling the attempt closes the connection.

    Raises: Permanent when the target, its key or its host key is refused; Retryable when it cannot be reached.
    """
    ctx.raise_if_cancelled()
    host = open_host(ctx)
    ctx.on_cancel(host.close)
    try:
        yield host
    except Retryable:
        ctx.raise_if_cancelled()
        raise
    finally:
        ctx.token.remove_closer(host.close)
        host.close()


def open_host(ctx: ActionContext, *, timeout_s: float = CONNECT_S) -> Host:
    """Connect without tying the connection to the attempt's end. The caller closes it."""
    import paramiko

    target = _allowed_target(ctx)
    key = _private_key(ctx, target)
    store = Path(str(ctx.settings["known_hosts"]))
    name = host_name(target.host, target.port)
    try:
        connection = socket.create_connection((target.host.strip("[]"), target.port), timeout=timeout_s)
    except OSError as error:
        raise Retryable(f"{target.address} cannot be reached: {reason_of(error)}") from None
    transport = None
    tap = Tap(connection)
    try:
        transport = paramiko.Transport(connection)
        transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = timeout_s
        _prefer(transport, known_key(store, name))
        with link_errors(target):
            transport.start_client(timeout=timeout_s)
            transport.set_keepalive(KEEPALIVE_S)
            offered = transport.get_remote_server_key()
        offered_key = HostKey(offered.get_name(), offered.asbytes())
        if pin(store, name, offered_key):
            ctx.log(f"host key of {name} pinned on first use: {offered_key.fingerprint}\n")
        _sign_in(transport, target, key)
    except BaseException:
        if transport is not None:
            transport.close()
        connection.close()
        count(ctx, tap)
        raise
    return Host(transport, target, lambda: count(ctx, tap))


def _sign_in(transport: paramiko.Transport, target: SshTarget, key: paramiko.PKey) -> None:
    import paramiko

    try:
        transport.auth_publickey(target.user, key)
    except paramiko.AuthenticationException as error:
        # A link that breaks during the exchange is reported as a refusal too; the server's own refusal leaves it open.
        if not transport.is_active() or "timeout" in str(error).lower():
            raise Retryable(f"{target.address}: the connection was lost while signing in") from None
        raise KeyRefused(
            f"{target.address} refused the key; add its public half to authorized_keys of {target.user} on the host"
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Retryable(f"{target.address}: the connection was lost while signing in ({reason_of(error)})") from None


def _allowed_target(ctx: ActionContext) -> SshTarget:
    if ctx.host is None:
        raise Permanent("the run names no host; start it with 'ssh: {host, user, port, key}'")
    allowed = [str(pattern) for pattern in ctx.settings.get("ssh_hosts") or ()]
    if allowed and not any(_matches(pattern, ctx.host) for pattern in allowed):
        raise Permanent(f"{ctx.host.address} is not among the hosts that PERDURE_SSH_HOSTS allows")
    return ctx.host


def _matches(pattern: str, target: SshTarget) -> bool:
    """`10.0.0.0/8`, `*.example.org` or `host:port`, as written in the target; names are not looked up."""
    host = target.host.strip("[]").lower()
    if "/" in pattern:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    wanted = pattern.lower()
    return any(fnmatch.fnmatchcase(name, wanted) for name in (host, f"{host}:{target.port}", f"[{host}]:{target.port}"))


def _private_key(ctx: ActionContext, target: SshTarget) -> paramiko.PKey:
    import paramiko

    path = key_path(ctx, target)
    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException):
        raise Permanent(f"the key {path.name!r} is locked by a passphrase; store one without") from None
    except (OSError, ValueError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        raise Permanent(f"the key {path.name!r} cannot be read: {type(error).__name__}") from None


def key_path(ctx: ActionContext, target: SshTarget) -> Path:
    """The file of the target's key; without a name the key called `default`, or the only one there is."""
    setting = ctx.settings.get("ssh_keys_dir")
    if not setting:
        raise Permanent("there is no keys directory; set PERDURE_SSH_KEYS_DIR and put the host's key there")
    folder = Path(str(setting))
    names = sorted(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".pub"
    )
    if target.key is None:
        if "default" not in names and len(names) != 1:
            raise Permanent(
                f"{target.address} names no key, and there are {len(names)} in the keys directory; name one"
            )
        return folder / ("default" if "default" in names else names[0])
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", target.key) or target.key not in names:
        raise Permanent(f"there is no key {target.key!r} in the keys directory (PERDURE_SSH_KEYS_DIR)")
    return folder / target.key


def _prefer(transport: paramiko.Transport, known: HostKey | None) -> None:
    """Ask for the type of key that is pinned, so that a host with several keys is not taken for a changed one."""
    if known is None:
        return
    options = transport.get_security_options()
    first = {"rsa-sha2-512", "rsa-sha2-256"} if known.type == "ssh-rsa" else {known.type}
    offered = tuple(options.key_types)
    options.key_types = tuple(sorted(offered, key=lambda name: name not in first))


def _text(data: bytes | bytearray) -> str:
    return bytes(data).decode("utf-8", "replace")


def reason_of(error: BaseException) -> str:
    """What the error says; many of a lost link say nothing."""
    return str(error) or type(error).__name__
