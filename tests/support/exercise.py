"""One process of the exercise: random transitions on runs that it shares with others, until told to stop.

    python -m tests.support.exercise URL SEED

Prints a line for each transition that was answered (JSON: what, run, position, attempt) and ends at the end of stdin.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost, Outcome, Snoozed, StepError, Succeeded
from orchestration.engine.leases import Held, Lease
from orchestration.engine.locks import InLine, Locks
from orchestration.engine.runs import StartedRun
from orchestration.errors import IllegalControl, LeaseLost, PerdureError, StoreUnavailable, UnknownStep
from orchestration.gates.gate import GateRequest, Refuse
from schemas.flow import ConcurrencySpec, LockSpec
from schemas.statuses import RunStatus, WaitReason
from tests.support.engine import ALICE, Harness

NAME = "exercise"
LEASE_S = 1.0
RUNS = 16
STEPS = 14
LOCKS = list("abcdefgh")
OUTCOMES: list[Outcome] = [
    *[Succeeded({"n": 1})] * 12,
    Failed(StepError("flaky", "try again")),
    Failed(StepError("broken", "it broke"), permanent=True),
    Cancelled(),
    HandedBack(),
    Lost(counted=False),
    Snoozed(WaitReason.SIGNAL, None),
]


def workflow(shape: int, dice: random.Random) -> list[dict[str, Any]]:
    """A chain, a fan with a join, or a random graph."""
    keys = [f"s{n}" for n in range(STEPS)]
    steps: list[dict[str, Any]] = []
    for n, key in enumerate(keys):
        match shape % 3:
            case 0:
                needs = keys[n - 1 : n] if n else []
            case 1:
                needs = [] if n == 0 else keys[1:-1] if n == STEPS - 1 else keys[:1]
            case _:
                needs = dice.sample(keys[:n], min(n, dice.randint(0, 4)))
        on_failure = dice.choice(["fail", "continue", "continue", {"fallback": {"value": 0}}])
        retry = {"max_attempts": 3, "base_delay_s": 0.02}
        action = "wait_for_signal" if n % 5 == 4 else "work"
        steps.append({"key": key, "action": action, "needs": needs, "on_failure": on_failure, "retry": retry})
    return steps


class Player:
    """Does one random thing after the other. Of a call that was cut off it knows nothing, as a worker would."""

    def __init__(self, url: str, seed: int) -> None:
        self.engine = Harness(url, size=2)
        self.engine.attempts.lease_s = self.engine.sweep.lease_s = LEASE_S
        self.engine.attempts.resend_s = self.engine.sweep.resend_s = self.engine.runs.resend_s = 0.5
        self.dice = random.Random(seed)
        self.owner = f"player-{seed}"
        self.locks = Locks(self.engine.attempts)
        self.held: list[Lease] = []
        self.frozen: list[Lease] = []

    def play(self) -> None:
        run = f"x{self.dice.randrange(RUNS)}"
        position = self.dice.randrange(STEPS + 4)
        try:
            match self.dice.randrange(50):
                case 0:
                    self.control("pause", run)
                case 1 | 2 | 3:
                    self.control("resume", run)
                case 4 if self.dice.random() < 0.3:
                    self.control("stop", run)
                case 5 | 6 | 7:
                    self.control("retry", run, step=self.dice.choice([None, None, f"s{position}"]))
                case 8:
                    self.control("skip", run, step=f"s{position}")
                case 9:
                    self.control("signal", run, step=f"s{position}", payload={})
                case 10 | 11:
                    self.engine.sweep.lines()
                    self.say("sweep", "", ended=self.engine.sweep.expired())
                case 12 if self.held:
                    self.heartbeat()
                case 13 if self.held:
                    self.frozen.append(self.held.pop())  # a worker that freezes: the lease runs out
                case 14 | 15 if self.frozen:
                    self.wake_up()
                case n if n > 26 and self.held:
                    self.finish(self.held.pop(self.dice.randrange(len(self.held))))
                case n if n > 16 and self.engine.recorder.sent:
                    sent = self.engine.recorder.sent.pop(0)
                    self.claim(sent.run_id, sent.position)
                case _:
                    self.claim(run, position)
        except (IllegalControl, UnknownStep, LeaseLost):
            pass
        except StoreUnavailable as error:
            self.say("lost", run, why=str(error))
            time.sleep(0.02)  # while PostgreSQL starts

    def control(self, control: str, run: str, **more: Any) -> None:
        getattr(self.engine.runs, control)(run, ALICE, **more)
        self.say(control, run)

    def claim(self, run: str, position: int) -> None:
        lease = self.engine.attempts.claim(run, position, self.owner)
        if lease is not None:
            self.say("claim", run, position=position, attempt=lease.attempt)
            if self.dice.random() < 0.5:
                self.acquire(lease)
            else:
                self.held.append(lease)

    def acquire(self, lease: Lease) -> None:
        names = self.dice.sample(LOCKS, self.dice.choice([1, 1, 2, 3]))
        hold = "run" if self.dice.random() < 0.03 else "step"
        locks = tuple(LockSpec(name=name, shared=self.dice.random() < 0.4, hold=hold) for name in names)
        places = (ConcurrencySpec(key="p", limit=3),) if self.dice.random() < 0.3 else ()
        request = GateRequest("", 5, 60, locks=locks, concurrency=places, lock_wait_s=self.dice.choice([None, 0.2]))
        match self.locks.acquire(lease, request):
            case InLine(finished):
                self.say("finish", lease.run_id, position=lease.position, attempt=lease.attempt)
                self.engine.attempts.tell(finished)
            case Refuse(error, permanent):
                self.end(lease, Failed(error, permanent))
            case _:
                self.say("lock", lease.run_id)
                self.held.append(lease)

    def finish(self, lease: Lease) -> None:
        outcome = self.dice.choice(OUTCOMES)
        if isinstance(outcome, Succeeded) and self.dice.random() < 0.1:
            outcome = Succeeded({}, self.expansion())
        self.end(lease, outcome)

    def end(self, lease: Lease, outcome: Outcome) -> None:
        # What a hand-over claims whose answer is cut off nobody knows of: its lease runs out.
        finished = self.engine.attempts.commit(lease, outcome, hand_over=self.dice.random() < 0.5)
        self.say("finish", lease.run_id, position=lease.position, attempt=lease.attempt)
        if finished.next is not None:
            self.held.append(finished.next)
            self.say("claim", lease.run_id, position=finished.next.position, attempt=finished.next.attempt)
        self.engine.attempts.tell(finished)

    def wake_up(self) -> None:
        """A frozen worker ends its attempt, once a later one is in progress if there is such a step."""
        for lease in self.frozen:
            sql = "SELECT attempt FROM steps WHERE run_id = %s AND position = %s AND status = 'in_progress'"
            attempt = self.engine.database.call(sql, lease.run, lease.position)
            if attempt not in (None, lease.attempt):
                self.frozen.remove(lease)
                return self.finish(lease)
        return self.finish(self.frozen.pop(0)) if len(self.frozen) > 8 else None

    def expansion(self) -> dict[str, Any]:
        row = {"action": "work", "queue": "default", "delay_s": 0, "params": {}, "reads": []}
        row |= {"policy": {"retry": {}, "on_failure": "continue", "on_lost": "retry", "timeout_s": 60}}
        keys = [f"e{self.dice.getrandbits(48)}" for _ in range(2)]
        first = row | {"key": keys[0], "label": "", "position": 0, "status": "ready", "blocked_by": 0}
        then = row | {"key": keys[1], "label": "", "position": 1, "status": "pending", "blocked_by": 1}
        steps = [first | {"needs": [], "dependents": [1]}, then | {"needs": [0], "dependents": []}]
        return {"steps": steps, "leaves": [1]}

    def heartbeat(self) -> None:
        held = [Held(lease.run, lease.position, lease.attempt) for lease in self.held]
        answers = self.engine.attempts.heartbeat(self.owner, held)
        self.held = [lease for lease, one in zip(self.held, held, strict=True) if answers[one] != "lost"]

    def say(self, what: str, run: str, **more: Any) -> None:
        print(json.dumps({"what": what, "run": run} | more))


def wind_up(engine: Harness, run: StartedRun) -> str:
    """Play a run to its end, doing what its users and workers would do; where it stands then."""
    with suppress(PerdureError):
        engine.runs.resume(run.run_id, ALICE)
    for turn in range(2000):
        status = RunStatus(engine.run_status(run))
        if status.is_finished:
            return str(status)
        engine.sweep.lines()
        engine.sweep.expired()
        rows = engine.database.rows(
            "SELECT position, key, waiting_for FROM steps WHERE status IN ('ready', 'waiting') "
            "AND run_id = (SELECT id FROM runs WHERE public_id = %s)",
            run.run_id,
        )
        for position, key, waiting_for in rows:
            if waiting_for == "signal":
                try:
                    engine.runs.signal(run.run_id, ALICE, step=key, payload={})
                except IllegalControl:  # an action that takes none
                    engine.runs.skip(run.run_id, ALICE, step=key)
            elif waiting_for == "lock" and turn > 200:
                # Of a run that is not wound up yet; the others have all gone by now.
                engine.runs.skip(run.run_id, ALICE, step=key)
            lease = engine.attempts.claim(run.run_id, position, "last")
            if lease is not None:
                engine.attempts.finish(lease, Succeeded({}))
        time.sleep(0 if rows else 0.02)
    return "stuck"


def main() -> None:
    player = Player(sys.argv[1], int(sys.argv[2]))
    stopped = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stopped.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    while not stopped.is_set():
        player.play()


if __name__ == "__main__":
    main()
