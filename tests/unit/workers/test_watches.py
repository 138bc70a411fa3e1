"""How an attempt ends whose process could not say it, and when a keeper looks at it next."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from orchestration.core.decide import Cancelled, Failed, HandedBack, Lost
from orchestration.engine.leases import Held
from workers.watches import Client, Watch

HELD = Held(1, 0, 1)


@pytest.mark.parametrize(
    ("reason", "may_repeat", "expected"),
    [
        ("", True, Lost),
        ("lost", True, Lost),
        ("stop", True, Cancelled),
        ("stop", False, Cancelled),
        ("timeout", True, Failed),
        ("drain", True, HandedBack),
        ("drain", False, Lost),
    ],
)
def test_an_attempt_ends_by_why_it_was_asked_to_stop(reason: str, may_repeat: bool, expected: type[Any]) -> None:
    assert isinstance(Watch(HELD, 10.0, may_repeat, reason=reason).outcome(Lost(counted=True)), expected)


def test_a_keeper_looks_at_the_deadline_then_at_the_end_of_the_grace_and_then_waits() -> None:
    watch = Watch(HELD, deadline=10.0, may_repeat=True)
    assert watch.next_look == 10.0
    watch.reason, watch.kill_at = "timeout", 12.0
    assert watch.next_look == 12.0
    watch.kill_at = None
    assert watch.next_look is None, "or the keeper would turn in circles until the process is gone"


def test_of_two_claims_for_the_same_step_one_stays_when_one_is_answered() -> None:
    ours, theirs = socket.socketpair()
    client = Client(ours, claiming=[("run", 0), ("run", 0)])
    client.claimed(("run", 0))
    assert client.claiming == [("run", 0)]
    client.claimed(("other", 0))
    theirs.close()
    client.say({"t": "draining"})
    client.say({"t": "draining"})
    ours.close()
