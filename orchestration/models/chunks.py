"""Bodies in chunks (RFC 9112, section 7.1), in whatever pieces they come. Pure."""

from __future__ import annotations

import re

MAX_LINE_BYTES = 16 * 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class BadChunk(Exception):
    """What came is no chunk."""


class ChunkReader:
    """One body. `is_ended`: all of it has come; `rest`: what came behind it."""

    def __init__(self) -> None:
        self.is_ended = False
        self.rest = b""
        self._left = 0
        self._is_behind_data = False
        self._is_trailer = False

    def feed(self, piece: bytes) -> bytes:
        """The data in what came. Raises: BadChunk."""
        came = self.rest + piece if self.rest else piece
        at, data = 0, []
        while not self.is_ended:
            if self._left:
                found = came[at : at + self._left]
                data.append(found)
                at += len(found)
                self._left -= len(found)
                if self._left:
                    break
                self._is_behind_data = True
            end = came.find(b"\r\n", at)
            if end < 0 or (self._is_behind_data and end > at):
                if len(came) - at > (1 if self._is_behind_data else MAX_LINE_BYTES):
                    raise BadChunk("a chunk does not end where its size says, or its size never ends")
                break
            self._line(came[at:end])
            at = end + 2
        self.rest = came[at:]
        return data[0] if len(data) == 1 else b"".join(data)

    def _line(self, line: bytes) -> None:
        if self._is_behind_data:
            self._is_behind_data = False
        elif self._is_trailer:
            self.is_ended = not line
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise BadChunk(f"the size of a chunk is {line[:40]!r}")
            self._left = int(size[1], 16)
            self._is_trailer = not self._left
