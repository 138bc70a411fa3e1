"""The shared state of circuit breakers in Valkey: one script call to ask, one to report."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from messaging.scripts import SharedScript
from orchestration.errors import StoreUnavailable, StreamUnavailable
from orchestration.gates.breaker import BreakerState, BreakerStatus, Change, Passed, Refused, Report
from schemas.flow import BreakerSpec

log = logging.getLogger(__name__)

INDEX = "perdure:breakers"
# There as long as nothing has wiped what people have forced.
MARK = "perdure:breakers-known"
LISTED = 1000
LEAST_WAIT_S = 0.1
CODE_LENGTH = 100


class ValkeyBreakers:
    """Breakers by name. When Valkey is away every call passes: a breaker must not be the outage.

    clock: seconds in place of the server's clock, so that tests need not wait.
    orders: what people have forced, by name, from where it lasts; None: left to itself. Asked after a wipe, before the
        first call is let through, it may raise StoreUnavailable: then calls pass.
    """

    def __init__(
        self,
        redis_url: str,
        *,
        clock: Callable[[], float] | None = None,
        orders: Callable[[], Mapping[str, BreakerState | None]] | None = None,
    ) -> None:
        self._script = SharedScript(redis_url, "breaker.lua")
        self._clock = clock
        self._orders = orders

    def acquire(self, spec: BreakerSpec, *, probe_s: float) -> Passed | Refused:
        """Ask to make a call; a probe is leased for `probe_s` seconds."""
        numbers: dict[str, Any] = {
            "recovery_s": spec.recovery_s,
            "probes": spec.probes,
            "probe_s": probe_s,
            "token": secrets.token_hex(8),
        }
        answer = self._script.ask(*self._request(spec.name, "acquire", guarded=self._orders is not None, **numbers))
        if answer and answer[0] == "lost" and self._orders is not None:
            self._restore(self._orders)
            answer = self._script.ask(*self._request(spec.name, "acquire", **numbers))
        if answer is None:
            return Passed("")
        change = _change(spec.name, answer)
        if answer[0] == "refuse":
            return Refused(max(LEAST_WAIT_S, float(answer[1])), change)
        return Passed(answer[1], answer[0] == "probe", change)

    def report(self, spec: BreakerSpec, token: str, report: Report, *, code: str = "") -> Change | None:
        """Say how a call went, and what that changed."""
        thresholds = spec.model_dump(
            include={"failure_threshold", "failure_rate", "window_s", "minimum_calls", "recovery_s", "probes"},
            exclude_none=True,
        )
        request = self._request(spec.name, "report", token=token, report=report, code=code[:CODE_LENGTH], **thresholds)
        answer = self._script.ask(*request)
        return _change(spec.name, answer) if answer is not None else None

    def force(self, name: str, to: BreakerState, *, why: str = "forced by hand") -> Change | None:
        """Keep a breaker open or closed until it is cleared or reset, whatever the calls say.

        Raises: ValueError for half-open, which cannot be forced; StreamUnavailable.
        """
        if to is BreakerState.HALF_OPEN:
            raise ValueError("a breaker can be forced open or closed")
        return self._order(name, "force", to=to, why=why)

    def clear(self, name: str, *, why: str = "left to itself again") -> Change | None:
        """Let a breaker that was forced go by its own state, which it kept. Raises: StreamUnavailable."""
        return self._order(name, "clear", why=why)

    def reset(self, name: str, *, why: str = "reset by hand") -> Change | None:
        """Close a breaker, forced or not, and forget its failures; its statistics stay. Raises: StreamUnavailable."""
        return self._order(name, "reset", why=why)

    def reset_all(self, *, why: str = "reset by hand") -> list[Change]:
        """Close all breakers, also those that are not listed; what changed. Raises: StreamUnavailable."""
        names = self._script.reading(lambda: cast("list[str]", self._script.client.zrange(INDEX, 0, -1)))
        changes = [self.reset(name, why=why) for name in names]
        return [change for change in changes if change is not None]

    def obey(self, orders: Mapping[str, BreakerState | None]) -> list[str]:
        """Put right what is forced, by what people have last said; the names of those that were different.

        Raises: StreamUnavailable.
        """
        forced = {status.name: status.forced for status in self._read(list(orders))}
        wrong = [name for name, order in orders.items() if forced.get(name) is not order]
        for name in wrong:
            order = orders[name]
            if order is None:
                self.clear(name)
            else:
                self.force(name, order)
        self._script.reading(lambda: self._script.client.set(MARK, "1"))
        return wrong

    def one(self, name: str) -> BreakerStatus | None:
        """A breaker; None when nobody has used it of late. Raises: StreamUnavailable."""
        return next(iter(self._read([name])), None)

    def some(self, names: Sequence[str]) -> list[BreakerStatus]:
        """Those of these names that somebody has used of late, in one call. Raises: StreamUnavailable."""
        return self._read(names)

    def all(self, limit: int = LISTED) -> list[BreakerStatus]:
        """Those last used, forced ones first. Raises: StreamUnavailable."""
        client = self._script.client
        names = self._script.reading(lambda: cast("list[str]", client.zrange(INDEX, 0, limit - 1, desc=True)))
        return self._read(names)

    def _restore(self, orders: Callable[[], Mapping[str, BreakerState | None]]) -> None:
        try:
            restored = self.obey(orders())
        except (StoreUnavailable, StreamUnavailable) as error:
            log.warning("what was forced by hand is not known, calls pass: %s", error)
        else:
            log.info("Valkey was wiped: %d breakers are forced again", len(restored))

    def _read(self, names: Sequence[str]) -> list[BreakerStatus]:
        if not names:
            return []
        texts, (seconds, _) = self._script.reading(lambda: self._together(names))
        now = self._clock() if self._clock else seconds
        return [_status(name, json.loads(text), now) for name, text in zip(names, texts, strict=True) if text]

    def _together(self, names: Sequence[str]) -> list[Any]:
        with self._script.client.pipeline(transaction=False) as pipe:
            pipe.mget([_key(name) for name in names])
            pipe.time()
            return list(pipe.execute())

    def _order(self, name: str, operation: str, **values: Any) -> Change | None:
        return _change(name, self._script.order(*self._request(name, operation, **values)))

    def _request(self, name: str, operation: str, **values: Any) -> tuple[list[str], str]:
        if self._clock is not None:
            values["now"] = self._clock()
        return [_key(name), INDEX, MARK], json.dumps({"op": operation, "name": name} | values)


def _key(name: str) -> str:
    return f"perdure:breaker:{name}"


def _change(name: str, answer: Sequence[str]) -> Change | None:
    if len(answer) < 6:
        return None
    before, after, at, why = answer[2:6]
    return Change(name, BreakerState(before), BreakerState(after), _time(float(at)), why)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _status(name: str, kept: dict[str, Any], now: float) -> BreakerStatus:
    def time(field: str) -> datetime | None:
        return _time(kept[field]) if field in kept else None

    state, forced = BreakerState(kept["state"]), kept.get("forced")
    return BreakerStatus(
        name=name,
        state=BreakerState(forced or state),
        forced=BreakerState(forced) if forced else None,
        calls=kept["calls"],
        failures=kept["failures"],
        rejected=kept["rejected"],
        consecutive_failures=kept["consecutive"],
        probes_in_flight=sum(lease_until > now for lease_until in kept["probes"].values()),
        changed_at=time("changed_at"),
        opened_at=time("opened_at"),
        next_probe_at=time("open_until") if state is BreakerState.OPEN and not forced else None,
        last_error=kept.get("last_error"),
        last_error_at=time("last_error_at"),
    )
