"""Between processes and PostgreSQL: counts the statements they send, on any number of connections."""

from __future__ import annotations

import contextlib
from collections import Counter
from socket import SHUT_WR, socket
from threading import Lock

from tests.support.tcp_proxy import TcpProxy


class StatementTap(TcpProxy):
    """Counts simple queries. Connections must not be encrypted."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._heard: Counter[str] = Counter()
        self._hearing = Lock()

    def __enter__(self) -> StatementTap:
        super().__enter__()
        return self

    def statements(self) -> Counter[str]:
        """How often each statement was sent so far, by its text up to the first bracket."""
        with self._hearing:
            return self._heard.copy()

    def _pump(self, source: socket, target: socket) -> None:
        is_client = source.getsockname()[1] == self.port
        if not is_client:
            super()._pump(source, target)
            return
        with contextlib.suppress(OSError):
            self._pass_messages(source, target)
        with contextlib.suppress(OSError):
            target.shutdown(SHUT_WR)

    def _pass_messages(self, source: socket, target: socket) -> None:
        """Each connection begins with a message without a type; all others are a type, a length and a body."""
        waiting, begun = bytearray(), False
        while data := source.recv(65536):
            waiting += data
            while len(waiting) >= 5:
                head = 1 if begun else 0
                end = head + int.from_bytes(waiting[head : head + 4])
                if len(waiting) < end:
                    break
                if waiting[0] == ord("Q") and begun:
                    self._note(waiting[5 : end - 1].decode())
                del waiting[:end]
                begun = True
            target.sendall(data)

    def _note(self, text: str) -> None:
        with self._hearing:
            self._heard[text.partition("(")[0].strip()[:60]] += 1
