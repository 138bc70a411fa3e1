"""The sandbox host: a real SSH server on loopback for `make demo` and the tests, which cannot touch the machine.

    python -m cli.sandbox --dir DIR --keys-dir KEYS [--port 0] [--ready-file FILE]

Every session gets a home, a working directory and an environment of its own under DIR, and a PATH whose first entry
holds a `reboot` that restarts this server and a `sudo` that refuses. SFTP starts in that home and is confined to it.
Only the key it makes in KEYS signs in. What keeps sessions off the machine is their environment, not force: this is
for our own demo and tests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import asyncssh
import psutil

from cli.sandbox_home import SandboxHome
from cli.sandbox_sftp import ConfinedSFTP

USER = "sandbox"
KEY_NAME = "sandbox"
HOST = "127.0.0.1"


class SandboxServer(asyncssh.SSHServer):
    """Lets one user in, by key."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False


class Sandbox:
    """The server and what it knows: its folders, its keys, the sessions that are open."""

    def __init__(self, home: SandboxHome, keys_dir: Path, port: int, reboot_s: float) -> None:
        self.home, self.keys_dir, self.port, self.reboot_s = home, keys_dir, port, reboot_s
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self.children: set[int] = set()
        self.rebooting = False
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._host_key = _key(home.root / "ssh_host_ed25519_key")
        client = _key(keys_dir / KEY_NAME)
        line = client.export_public_key().decode()
        self._authorized = asyncssh.import_authorized_keys(line)

    async def listen(self) -> None:
        """Open the port; the first time a free one may be chosen, afterwards it stays."""
        self._acceptor = await asyncssh.listen(
            HOST,
            self.port,
            server_factory=SandboxServer,
            server_host_keys=[self._host_key],
            authorized_client_keys=self._authorized,
            process_factory=self._session,
            sftp_factory=lambda channel: ConfinedSFTP(channel, self.home.home),
            acceptor=self._accepted,
            encoding=None,
            reuse_address=True,
            agent_forwarding=False,
        )
        self.port = self._acceptor.get_port()

    async def reboot(self) -> None:
        """Go away, change the boot id, come back on the same port."""
        if self.rebooting:
            return
        self.rebooting = True
        try:
            await self.close()
            await asyncio.sleep(self.reboot_s)
            self.home.new_boot()
            await self.listen()
        finally:
            self.rebooting = False

    async def close(self) -> None:
        """Stop listening, drop all connections and end their processes."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        for connection in list(self.connections):
            connection.abort()
        self.connections.clear()
        for pid in list(self.children):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)

    async def power_off(self) -> None:
        """Close for good, and end all that was started here; commands that were detached from their session too."""
        await self.close()
        while left := [process for process in psutil.process_iter() if self._is_ours(process)]:
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=1)

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether a process has the home of our sessions, which all they start inherit."""
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            return not dead and process.environ().get("HOME") == str(self.home.home)
        except psutil.Error:
            return False

    def facts(self) -> dict[str, object]:
        """What a client needs to know."""
        return {
            "host": HOST,
            "port": self.port,
            "user": USER,
            "key": KEY_NAME,
            "keys_dir": str(self.keys_dir),
            "home": str(self.home.home),
            "packages": str(self.home.packages),
            "repositories": str(self.home.repositories),
            "boot_id_file": str(self.home.boot_id),
            "fingerprint": self._host_key.get_fingerprint(),
            "pid": os.getpid(),
        }

    def _accepted(self, connection: asyncssh.SSHServerConnection) -> None:
        self.connections = {open_ for open_ in self.connections if not open_.is_closed()} | {connection}

    async def _session(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """Run a session's command as sshd does: a process group of its own, not ended when the connection goes."""
        if process.get_extra_info("username") != USER:
            process.exit(1)
            return
        command = ["/bin/sh", "-c", process.command] if process.command else ["/bin/sh"]
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.home.home,
            env=self.home.environment(),
            start_new_session=True,
        )
        self.children.add(child.pid)
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise RuntimeError("the session's process has no pipes")
        incoming = asyncio.create_task(_pass_in(process.stdin, child.stdin))
        outgoing = [
            asyncio.create_task(_pass_out(child.stdout, process.stdout)),
            asyncio.create_task(_pass_out(child.stderr, process.stderr)),
        ]
        try:
            status = await child.wait()
            # A background child that keeps a pipe open must not hold up the end for ever.
            await asyncio.wait(outgoing, timeout=2)
            with suppress(OSError):
                process.exit(status if status >= 0 else 128 - status)
        finally:
            self.children.discard(child.pid)
            for task in (incoming, *outgoing):
                task.cancel()


async def _pass_in(source: asyncssh.SSHReader[bytes], target: asyncio.StreamWriter) -> None:
    """Client to command; the end of the input, or of the link, closes the command's input."""
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


async def _pass_out(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    """Command to client, as it is written."""
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()


async def serve(sandbox: Sandbox, ready_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reboots."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def reboot() -> None:
        task = loop.create_task(sandbox.reboot())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reboot)
    await sandbox.listen()
    sandbox.home.server_pid.write_text(f"{os.getpid()}\n", encoding="ascii")
    facts = json.dumps(sandbox.facts(), indent=2) + "\n"
    if ready_file is not None:
        partial = ready_file.with_name(ready_file.name + ".new")
        partial.write_text(facts, encoding="utf-8")
        partial.replace(ready_file)
    else:
        print(facts, end="", flush=True)
    await stop.wait()
    await sandbox.power_off()


def _key(path: Path) -> asyncssh.SSHKey:
    """The private key in `path`, made when it is missing; mode 0600."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = asyncssh.generate_private_key("ssh-ed25519")
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(made.export_private_key("openssh"))
    return asyncssh.read_private_key(str(path))


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog="python -m cli.sandbox", description="A sandbox SSH host on loopback.")
    parser.add_argument("--dir", type=Path, required=True, help="root of the sandbox; made when missing")
    parser.add_argument("--keys-dir", type=Path, help="where the client key `sandbox` is put (default DIR/keys)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--reboot-s", type=float, default=1.0, help="how long a reboot takes, seconds (default 1)")
    parser.add_argument("--ready-file", type=Path, help="written as JSON once it listens (default: standard output)")
    options = parser.parse_args()
    os.umask(0o077)
    home = SandboxHome(options.dir.absolute())
    home.prepare()
    keys_dir = (options.keys_dir or options.dir / "keys").absolute()
    asyncio.run(serve(Sandbox(home, keys_dir, options.port, options.reboot_s), options.ready_file))


if __name__ == "__main__":
    main()
