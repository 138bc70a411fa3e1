"""The sandbox's folders and the environment its sessions see, kept apart from the machine's own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from cli.sandbox_packages import build_repositories, build_wheels

REFUSED = ("sudo", "su", "shutdown", "poweroff", "halt", "systemctl", "init")


@dataclass(frozen=True)
class SandboxHome:
    """Where things lie under the sandbox's root."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def programs(self) -> Path:
        """First entry of PATH: the sandbox's own `reboot`, `sudo`, `python3`."""
        return self.root / "bin"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def repositories(self) -> Path:
        return self.root / "repositories"

    @property
    def boot_id(self) -> Path:
        """Changes whenever the sandbox reboots."""
        return self.root / "boot_id"

    @property
    def server_pid(self) -> Path:
        return self.root / "server.pid"

    def environment(self) -> dict[str, str]:
        """All that a session sees; nothing of the server's own environment is passed on."""
        git = shutil.which("git")
        path = [str(self.programs), *([str(Path(git).parent)] if git else []), "/usr/local/bin", "/usr/bin", "/bin"]
        home = str(self.home)
        return {
            "HOME": home,
            "USER": "sandbox",
            "LOGNAME": "sandbox",
            "SHELL": "/bin/sh",
            "PATH": ":".join(dict.fromkeys(path)),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.root / "tmp"),
            "XDG_CONFIG_HOME": f"{home}/.config",
            "XDG_CACHE_HOME": f"{home}/.cache",
            "XDG_DATA_HOME": f"{home}/.local/share",
            "XDG_STATE_HOME": f"{home}/.local/state",
            # pip and git work from what the sandbox brings along, whatever the machine's configuration says.
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.packages),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def prepare(self) -> None:
        """Make whatever is missing. Safe to repeat."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.home, self.programs, self.root / "tmp"):
            folder.mkdir(exist_ok=True)
        if not self.boot_id.exists():
            self.new_boot()
        for name in REFUSED:
            self._program(name, f'echo "{name}: the sandbox host gives no way to its machine" >&2\nexit 1\n')
        pid = shlex.quote(str(self.server_pid))
        self._program("reboot", f'echo "the sandbox host restarts" >&2\nkill -HUP "$(cat {pid})"\n')
        # Shims such as pyenv's depend on the real home; the interpreter itself does not.
        python = shlex.quote(str(Path(getattr(sys, "_base_executable", sys.executable)).resolve()))
        self._program("python3", f'exec {python} "$@"\n')
        build_wheels(self.packages)
        build_repositories(self.repositories, self.environment())

    def new_boot(self) -> None:
        """Change the boot id, as a restart does."""
        new = self.boot_id.with_suffix(".new")
        new.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
        new.replace(self.boot_id)

    def _program(self, name: str, body: str) -> None:
        path = self.programs / name
        path.write_text("#!/bin/sh\n" + body, encoding="utf-8")
        path.chmod(0o755)
