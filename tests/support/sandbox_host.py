"""The sandbox SSH host as its own process, and contexts for actions that work on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestration.actions.context import ActionContext
from schemas.json import Json
from schemas.workflow import SshTarget
from tests.support.action_context import RecordingServices, make_context

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class SandboxHost:
    """A running sandbox. Use `start` as a context manager."""

    root: Path
    facts: dict[str, Any]
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, root: Path, *, reboot_s: float = 0.3) -> SandboxHost:
        ready = root / "ready.json"
        root.mkdir(parents=True, exist_ok=True)
        ready.unlink(missing_ok=True)
        with (root / "server.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "cli.sandbox", "--dir", str(root / "host")),
                    *("--keys-dir", str(root / "keys"), "--reboot-s", str(reboot_s), "--ready-file", str(ready)),
                ],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 30
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise RuntimeError(f"the sandbox did not start: {(root / 'server.log').read_text()}")
            time.sleep(0.02)
        return cls(root, json.loads(ready.read_text()), process)

    def __enter__(self) -> SandboxHost:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def home(self) -> Path:
        return Path(self.facts["home"])

    def target(self, port: int | None = None) -> SshTarget:
        return SshTarget(
            host=self.facts["host"], user=self.facts["user"], port=port or self.facts["port"], key=self.facts["key"]
        )

    def settings(self, **others: Any) -> dict[str, Any]:
        sync_root = self.root / "sync"
        sync_root.mkdir(exist_ok=True)
        return {
            "ssh_keys_dir": self.root / "keys",
            "known_hosts": self.root / "known_hosts",
            "ssh_hosts": (),
            "sync_root": sync_root,
            "repository_schemes": ("https", "ssh", "file"),
            **others,
        }

    def context(
        self,
        services: RecordingServices | None = None,
        *,
        port: int | None = None,
        settings: dict[str, Any] | None = None,
        restored: Json = None,
        attempt: int = 1,
        run_id: str | None = None,
    ) -> ActionContext:
        """A context for one attempt; without `run_id` of a run of its own."""
        return make_context(
            services,
            host=self.target(port),
            settings=self.settings(**(settings or {})),
            restored=restored,
            attempt=attempt,
            run_id=run_id or f"run-{uuid.uuid4()}",
        )

    def drop_connections(self) -> None:
        """Restart the server: every connection is lost, as in a reboot."""
        os.kill(self.process.pid, signal.SIGHUP)
