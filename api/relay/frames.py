"""WebSocket frames, made once however many clients get them."""

from __future__ import annotations

from collections.abc import Iterable

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio.packet import EVENT


class Frames(bytes):
    """WebSocket frames as they go over the wire; a server's are the same for every client."""


class FramesPacket(EnginePacket):  # type: ignore[misc]  # engineio has no types
    """Frames among the packets that Engine.IO keeps for a client; see `RelayWebSocket.send`."""

    def __init__(self, frames: Frames) -> None:
        super().__init__(MESSAGE)
        self._frames = frames

    def encode(self, b64: bool = False) -> Frames:
        """The frames."""
        return self._frames


def event_frames(event: str, texts: Iterable[str]) -> Frames:
    """The frames of events with these data, given as JSON text."""
    return Frames(b"".join(text_frame(f'{MESSAGE}{EVENT}["{event}",{text}]'.encode()) for text in texts))


def text_frame(message: bytes) -> bytes:
    """A whole text message (RFC 6455, 5.2)."""
    size = len(message)
    if size < 126:
        return b"\x81" + bytes((size,)) + message
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + message
    return b"\x81\x7f" + size.to_bytes(8, "big") + message
