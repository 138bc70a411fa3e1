"""A worker process's line to its keeper: says what it holds, hears what should stop."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from orchestration.actions.context import CancelToken
from orchestration.engine.leases import Held, Lease
from workers.wire import LineBuffer, Message, connect, encode


class KeeperClient:
    """One per process that runs actions, and one of the main process. Safe to use from many threads."""

    def __init__(self, path: str, *, role: str, on_gone: Callable[[], None], on_abandoned: Callable[[], None]) -> None:
        self._socket = connect(path)
        self._lock = threading.Lock()
        self._tokens: dict[Held, CancelToken] = {}
        self._on_gone = on_gone
        self._on_abandoned = on_abandoned
        self._is_watched = threading.Event()
        self.draining = threading.Event()
        self._send({"t": "hello", "pid": os.getpid(), "role": role})
        threading.Thread(target=self._listen, name="perdure-keeper-line", daemon=True).start()

    def claiming(self, run_id: str, position: int) -> None:
        """Said before a claim, so that one whose process dies before it can say `hold` is found at once.

        Waits for a keeper that is still starting: nobody else would renew what is claimed.
        """
        self._is_watched.wait()
        self._send({"t": "claiming", "run_id": run_id, "position": position})

    def refused(self, run_id: str, position: int) -> None:
        """The claim got nothing."""
        self._send({"t": "refused", "run_id": run_id, "position": position})

    def unheard(self, run_id: str, position: int | None) -> None:
        """The claim's answer was lost, or came too late: whatever it claimed is to be handed back.

        `position` None: a hand-over, which may have claimed any step of the run.
        """
        self._send({"t": "unheard", "run_id": run_id, "position": position})

    def hold(self, lease: Lease, token: CancelToken, *, hands_over_s: float, after: Held | None = None) -> Held:
        """Have the lease renewed from now on, its deadline watched, and `token` cancelled when it should stop.

        `hands_over_s`: for how long the end of the attempt may claim another step of the run. `after`: the attempt that
        ended as this one was claimed, and is dropped.
        """
        held = Held(lease.run, lease.position, lease.attempt)
        self._tokens[held] = token
        message: Message = {
            "t": "hold",
            "run_id": lease.run_id,
            "held": [held.run, held.position, held.attempt],
            "timeout_s": lease.timeout_s,
            "may_repeat": lease.policy.on_lost == "retry",
            "hands_over_s": hands_over_s,
        }
        if after is not None:
            self._tokens.pop(after, None)
            message["drop"] = [after.run, after.position, after.attempt]
        self._send(message)
        return held

    def limit(self, held: Held, seconds: float) -> None:
        """Move the attempt's deadline to `seconds` from now, where that is sooner."""
        self._send({"t": "limit", "held": [held.run, held.position, held.attempt], "seconds": seconds})

    def drop(self, held: Held) -> None:
        """The attempt has ended."""
        self._tokens.pop(held, None)
        self._send({"t": "drop", "held": [held.run, held.position, held.attempt]})

    def drain(self, seconds: float) -> None:
        """Claim nothing more; what is still held after `seconds` is asked to stop and handed back."""
        self.draining.set()
        self._send({"t": "drain", "seconds": seconds})

    def close(self) -> None:
        """Leave; the keeper takes everything still held for lost."""
        self._on_gone = lambda: None
        with contextlib.suppress(OSError):
            self._socket.close()

    def _send(self, message: Message) -> None:
        try:
            with self._lock:
                self._socket.sendall(encode(message))
        except OSError:
            self._on_gone()

    def _listen(self) -> None:
        lines = LineBuffer()
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._on_gone()
                return
            for message in lines.feed(data):
                self._hear(message)

    def _hear(self, message: Message) -> None:
        match message:
            case {"t": "cancel", "held": [run, position, attempt], "reason": str(reason)}:
                token = self._tokens.get(Held(run, position, attempt))
                if token is not None:
                    # On a thread of its own: closing a connection may block, and others are to be stopped meanwhile.
                    threading.Thread(target=token.cancel, args=(reason,), name="perdure-cancel", daemon=True).start()
            case {"t": "watching"}:
                self._is_watched.set()
            case {"t": "draining"}:
                self.draining.set()
            case {"t": "abandoned"}:
                self._on_abandoned()
