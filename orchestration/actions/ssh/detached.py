"""Long remote commands that outlive the link and the worker.

A command is started once per (step, name, script). Whoever asks for it again, in this attempt or a later one, attaches
to it and reads its log on from where the last one stopped. If the worker dies here, nothing is lost: the command goes
on by itself.
"""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.actions.ssh.channels import ChannelReader
from orchestration.actions.ssh.connection import Host, open_host, reason_of
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.remote_scripts import FOLLOW, FORGET, KILL
from orchestration.errors import LeaseLost, PerdureError

MAX_SCRIPT = 256 * 1024
KEPT_OUTPUT = 16 * 1024
SILENT_S = 20  # the host gives a sign of life every 2 s
SAVE_EVERY_S = 2.0
KILL_CONNECT_S = 5.0
LAST_OUTPUT_S = 10.0
# The next attempt attaches to the command: this worker leaves, or has lost the step already.
LEFT_RUNNING = ("drain", "lost")


@dataclass(frozen=True)
class RemoteCommand:
    """A POSIX sh script to run detached. `stdin` may be secret: it reaches the host in a 0600 file, removed at once."""

    name: str
    script: str
    stdin: str | None = None

    def place(self, ctx: ActionContext) -> tuple[str, str]:
        """The two parts of its directory on the host. Secrets have no part in it."""
        return _short(ctx.idempotency_key), _short(f"{self.name}\0{self.script}")

    def text(self) -> bytes:
        """What runs on the host; it removes itself first."""
        lines = ['rm -f -- "$0"']
        if self.stdin is not None:
            end = "perdure_" + hashlib.sha256(self.stdin.encode()).hexdigest()[:32]
            lines += [f"exec <<'{end}'", self.stdin, end]
        data = "\n".join([*lines, self.script, ""]).encode()
        if len(data) > MAX_SCRIPT or b"\x00" in data:
            raise Permanent(f"the remote script {self.name!r} is over {MAX_SCRIPT} bytes or holds NUL characters")
        return data


@dataclass(frozen=True)
class Finished:
    """How a remote command ended; `output` is the last 16 KiB it wrote."""

    status: int
    output: str

    def require(self, what: str) -> Finished:
        """Answer itself if the command succeeded. Raises: Retryable with the last lines otherwise."""
        if self.status != 0:
            raise Retryable(
                f"{what} ended with status {self.status}: {self.output.strip()[-500:]}",
                details={"exit_code": self.status, "output": self.output[-4000:]},
            )
        return self


def run_detached(
    ctx: ActionContext,
    host: Host,
    memory: StepMemory,
    command: RemoteCommand,
    *,
    on_text: Callable[[str], None] | None = None,
) -> Finished:
    """Run a command to its end, or go on with one that an earlier attempt began. Its output goes to the step's log.

    Success is remembered: a later attempt gets the same answer and does not run it again.
    Raises: Retryable when the link is lost (the command goes on); ActionCancelled when the attempt is to stop: the
        command is ended, except on a drain.
    """
    follower = _Follower(ctx, host, memory, command, on_text)
    known = memory.get(follower.key)
    if isinstance(known, dict):
        if known.get("id") != list(follower.place):
            host.run(KILL, [*map(str, known.get("id", follower.place)), str(ctx.attempt)])
        elif "status" in known:
            host.run(FORGET, follower.place)
            return Finished(known["status"], known["output"])
        else:
            follower.offset = follower.logged = int(known.get("offset", 0))
    follower.save()
    try:
        finished = follower.follow()
    except (Retryable, OSError, EOFError) as error:
        if ctx.cancelled.is_set():
            follower.stop()
        follower.save()
        if isinstance(error, Retryable):
            raise
        raise Retryable(f"{host.target.address}: the connection was lost ({reason_of(error)})") from None
    if finished.status == 0:
        memory.put(
            follower.key, {"id": list(follower.place), "status": finished.status, "output": finished.output[-4000:]}
        )
    host.run(FORGET, follower.place)
    return finished


def is_begun(memory: StepMemory, name: str) -> bool:
    """Whether an earlier attempt began this command and did not see its end."""
    known = memory.get(f"command:{name}")
    return isinstance(known, dict) and "status" not in known


class _Follower:
    """Starts or attaches to one command and reads it to its end."""

    def __init__(
        self,
        ctx: ActionContext,
        host: Host,
        memory: StepMemory,
        command: RemoteCommand,
        on_text: Callable[[str], None] | None,
    ) -> None:
        self.ctx, self.host, self.memory, self.command, self.on_text = ctx, host, memory, command, on_text
        self.key = f"command:{command.name}"
        self.place = command.place(ctx)
        self.offset = 0  # bytes of the remote log read
        self.logged = 0  # bytes of it that are in the step's log
        self._tail = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._saved_at = time.monotonic()

    def save(self) -> None:
        """Remember how far the log was read."""
        self._saved_at = time.monotonic()
        self.memory.put(self.key, {"id": list(self.place), "offset": self.logged})

    def follow(self) -> Finished:
        text = self.command.text()
        self.offset = max(0, self.logged - KEPT_OUTPUT)  # read again, for the tail only
        args = [*self.place, str(len(text)), str(self.offset), str(self.ctx.attempt)]
        with ChannelReader(self.host.open_script(FOLLOW, args, stdin=text)) as reader:
            return self._read(reader)

    def _read(self, reader: ChannelReader) -> Finished:
        news = b""
        status: int | None = None
        size = silent_s = 0
        ended_at = 0.0
        while True:
            if self.ctx.cancelled.is_set():
                self.stop()
            out, err = reader.read(1.0)
            silent_s = 0 if out or err else silent_s + 1
            if status is not None:
                out = out[: max(0, size - self.offset)]
            self._take(out)
            *lines, news = (news + err).split(b"\n")
            for line in lines:
                words = line.split()
                if words[:1] == [b"exit"] and len(words) == 3:
                    status, size, ended_at = int(words[1]), int(words[2]), time.monotonic()
                elif words == [b"gone"] and status is None:
                    self._vanished()
            if status is not None and (self.offset >= size or time.monotonic() > ended_at + LAST_OUTPUT_S):
                self._log(self._decoder.decode(b"", final=True))
                return Finished(status, bytes(self._tail).decode("utf-8", "replace"))
            if not (out or err):
                self._check(reader, silent_s)

    def _check(self, reader: ChannelReader, silent_s: int) -> None:
        address = self.host.target.address
        if reader.ended:
            reader.channel.status_event.wait(1.0)
            code = reader.channel.exit_status
            if code == 90:
                raise Permanent(f"{address}: the home directory on the host cannot be written")
            if code == 92:
                raise Permanent(f"{address}: the host needs setsid, python3 or perl for long commands")
            if code == 93:
                raise Retryable(f"{address}: the command was ended by a stop of this attempt or a later one")
            raise Retryable(f"{address}: the connection was lost")
        if silent_s >= SILENT_S:
            raise Retryable(f"{address}: no sign of life for {SILENT_S} s")

    def _take(self, data: bytes) -> None:
        if not data:
            return
        new = data[max(0, self.logged - self.offset) :] if self.offset < self.logged else data
        self.offset += len(data)
        self._tail += data
        del self._tail[:-KEPT_OUTPUT]
        self._log(self._decoder.decode(new))
        self.logged = max(self.logged, self.offset - len(self._decoder.getstate()[0]))
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.save()

    def _log(self, text: str) -> None:
        if text:
            self.ctx.log(text)
            if self.on_text is not None:
                self.on_text(text)

    def _vanished(self) -> NoReturn:
        """The runner is gone without a word: the host was restarted, or the command was killed from outside."""
        self.host.run(KILL, [*self.place, str(self.ctx.attempt)])
        self.logged = 0
        raise Retryable(
            f"{self.host.target.address}: the remote command vanished before it ended; it will be started anew"
        )

    def stop(self) -> NoReturn:
        """End the attempt as asked: a drain leaves the command running, anything else ends it on the host.

        Raises: LeaseLost, leaving the command alone, when a later attempt has taken the step over.
        """
        reason = self.ctx.token.reason
        if reason != "lost":
            try:
                self.save()
            except LeaseLost:
                raise
            except PerdureError:
                pass  # the stop must work while the store is away
        if reason not in LEFT_RUNNING:
            try:
                fresh = open_host(self.ctx, timeout_s=KILL_CONNECT_S)
                try:
                    fresh.run(KILL, [*self.place, str(self.ctx.attempt)], timeout_s=15)
                finally:
                    fresh.close()
            except (Retryable, Permanent) as error:
                self.ctx.log(f"the remote command {self.command.name!r} could not be ended: {error}\n", "warning")
        raise ActionCancelled(reason)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
