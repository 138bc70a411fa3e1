"""What a keeper knows of its worker's processes: who is there, what they hold, how an attempt they left has ended."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass, field

from orchestration.core.decide import Cancelled, Failed, HandedBack, Outcome, StepError
from orchestration.engine.leases import Held
from workers.wire import LineBuffer, Message, encode

# A run and a position; without one, whichever step of the run the end of another has claimed.
Claim = tuple[str, int | None]
# How much longer than it may ask for a hand-over a process may take to say what came of it.
HAND_OVER_PATIENCE_S = 1.0


@dataclass
class Watch:
    """An attempt under watch. Times are of the keeper's monotonic clock; `reason` says why it was asked to stop.

    Until `hands_over_until` its process may hold another step of the run without having said so.
    """

    held: Held
    deadline: float
    may_repeat: bool
    run_id: str = ""
    hands_over_until: float = 0.0
    reason: str = ""
    kill_at: float | None = None

    @property
    def next_look(self) -> float | None:
        """When there is something to do about it, if nothing happens; None once it was terminated."""
        return self.kill_at if self.reason else self.deadline

    def outcome(self, otherwise: Outcome) -> Outcome:
        """What the attempt ends with if its process ended, or was ended, before it could say."""
        match self.reason:
            case "stop":
                return Cancelled()
            case "timeout":
                return Failed(StepError("timeout", "the attempt took longer than its time limit and was terminated"))
            case "drain" if self.may_repeat:
                return HandedBack()
            case _:
                return otherwise


@dataclass
class Client:
    """A process of the worker, at the other end of `connection`."""

    connection: socket.socket
    pid: int = 0
    is_main: bool = False
    lines: LineBuffer = field(default_factory=LineBuffer)
    # Two threads may claim the same step, one of them in vain.
    claiming: list[Claim] = field(default_factory=list)
    watches: dict[Held, Watch] = field(default_factory=dict)

    def say(self, message: Message) -> None:
        """Send a message, to nobody if the process is gone."""
        with contextlib.suppress(OSError):
            self.connection.sendall(encode(message))

    def may_hold(self, claim: Claim) -> bool:
        """Whether the process may hold the step without having said so yet."""
        now = time.monotonic()
        return claim in self.claiming or any(
            watch.run_id == claim[0] and watch.hands_over_until > now for watch in self.watches.values()
        )

    def claimed(self, claim: Claim) -> None:
        """The claim was answered, one way or the other."""
        with contextlib.suppress(ValueError):
            self.claiming.remove(claim)
