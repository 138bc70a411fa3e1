"""Reading a channel's two streams from one thread, as they arrive."""

from __future__ import annotations

import selectors
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

PIECE = 64 * 1024


class ChannelReader:
    """Waits for output on a channel without polling. Closes the channel at the end of its block."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self.channel = channel
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel.fileno(), selectors.EVENT_READ)

    def __enter__(self) -> ChannelReader:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._selector.close()
        with suppress(EOFError, OSError):  # it may say good-bye to nobody
            self.channel.close()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come. If the channel has no exit status (-1) then, the link was lost."""
        return bool(self.channel.eof_received or self.channel.closed) and not self._waiting

    def read(self, timeout_s: float) -> tuple[bytes, bytes]:
        """What arrived on (stdout, stderr); both empty when nothing came within `timeout_s`, or at the end."""
        if not self._waiting and not self.ended:
            self._selector.select(timeout_s)
        out = self.channel.recv(PIECE) if self.channel.recv_ready() else b""
        err = self.channel.recv_stderr(PIECE) if self.channel.recv_stderr_ready() else b""
        return out, err

    @property
    def _waiting(self) -> bool:
        return bool(self.channel.recv_ready() or self.channel.recv_stderr_ready())
