"""Makes the worker that loads it die right after a call of its has closed a breaker, before anybody is woken. Once."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil

from messaging.breakers import ValkeyBreakers
from orchestration.gates.breaker import BreakerState, Change

_report = ValkeyBreakers.report


def _die_once(self: ValkeyBreakers, *values: Any, **named: Any) -> Change | None:
    change = _report(self, *values, **named)
    if change is not None and change.after is BreakerState.CLOSED:
        try:
            Path(os.environ["PERDURE_TEST_DIES_ON_CLOSE"]).unlink()
        except FileNotFoundError:
            return change
        family = psutil.Process().children(recursive=True)
        for process in family:
            process.kill()
        os.kill(os.getpid(), signal.SIGKILL)
    return change


ValkeyBreakers.report = _die_once  # type: ignore[method-assign]
