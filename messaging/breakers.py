"""The shared state of circuit breakers in Valkey: one script call to ask, one to report."""

from __future__ import annotations

import logging
import secrets
from importlib.resources import files

import redis

from messaging.circuit import Circuit, ServerAway
from orchestration.gates.breaker import Passed, Refused, Report

log = logging.getLogger(__name__)

TIMEOUT_S = 1.0


class ValkeyBreakers:
    """Breakers by target. When Valkey is away every call passes: a breaker must not be the outage."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        # A server that is frozen, not gone, would cost every step the time limit twice.
        self._circuit = Circuit(failures=(redis.RedisError,))
        self._script = self._client.register_script(files("messaging").joinpath("breaker.lua").read_text())

    def acquire(self, target: str, *, recovery_s: float, probe_s: float) -> Passed | Refused:
        """Ask to call `target`."""
        answer = self._call(target, "acquire", recovery_s, probe_s, secrets.token_hex(8))
        if answer is not None and answer[0] == b"refuse":
            return Refused(max(0.1, float(answer[1])))
        return Passed(answer[1].decode() if answer else "")

    def report(self, target: str, token: str, report: Report, *, threshold: int, recovery_s: float) -> None:
        """Say how the call went."""
        self._call(target, "report", token, report, threshold, recovery_s)

    def _call(self, target: str, *values: str | float) -> list[bytes] | None:
        try:
            answer: list[bytes] = self._circuit.call(
                lambda: self._script(keys=[f"perdure:breaker:{target}"], args=list(values))
            )
        except ServerAway:
            return None
        except redis.RedisError as error:
            log.warning("breaker not asked: %s", error, extra={"target": target})
            return None
        return answer
