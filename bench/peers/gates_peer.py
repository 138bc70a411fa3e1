"""Perdure's workers with steps that have to pass gates, for `bench.gates`."""

from __future__ import annotations

from itertools import count, pairwise
from typing import Any

from bench.peers.perdure_peer import ACTOR, Perdure
from bench.peers.protocol import Answer, serve
from messaging.breakers import ValkeyBreakers
from messaging.rate_limits import ValkeyRateLimits
from schemas.workflow import WorkflowSpec

NEVER_BINDS = {"limit": 1_000_000, "per_s": 1}


class Gated(Perdure):
    """One worker of two processes."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    def gated(self, runs: int, gates: list[str]) -> Answer:
        """Runs of one step, accepted together: seconds from the first claim to the last end.

        Raises: RuntimeError when a step waited, or a gate was not asked.
        """
        asked = self._asked()
        workflows = [_run([{"key": "s", "action": "bench.noop", **self._gates(gates)}]) for _ in range(runs)]
        ids = self._start_together(workflows)
        self._wait_for_all(60)
        completed, attempts, seconds = self.database.rows(
            "SELECT count(*) FILTER (WHERE s.status = 'completed'), sum(s.attempt), "
            "extract(epoch FROM max(s.ended_at) - min(s.started_at))::float8 "
            "FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = ANY(%s)",
            ids,
        )[0]
        if (completed, attempts) != (runs, runs):
            raise RuntimeError(f"{completed} of {runs} steps completed, in {attempts} attempts")
        # A gate whose server is away lets all pass, which would read as a gate that costs nothing.
        counted = {gate: after - asked[gate] for gate, after in self._asked().items()}
        if counted != {gate: runs if gate in gates else 0 for gate in counted}:
            raise RuntimeError(f"the gates were asked {counted} times, for {runs} steps with {gates}")
        return {"seconds": seconds}

    def contended(self, at_a_time: int, steps: int, work_s: float) -> Answer:
        """Runs that all want one lock for each of their steps: seconds from each release to the next begin.

        The release is the end of the step before, taken before its commit; the begin is the action's first line.
        Raises: RuntimeError when two held it at once.
        """
        step = {"action": "bench.clocked", "params": {"seconds": work_s}, **self._gates(["lock"])}
        chain = [{"key": f"s{number}", **step} for number in range(steps)]
        ids = self._start_together([_run(chain) for _ in range(at_a_time)])
        self._wait_for_all(120)
        rows = self.database.rows(
            "SELECT (a.result->>'began')::float8, extract(epoch FROM a.ended_at)::float8 "
            "FROM attempts a JOIN runs r ON r.id = a.run_id "
            "WHERE r.public_id = ANY(%s) AND a.outcome = 'completed' ORDER BY 1",
            ids,
        )
        if len(rows) != at_a_time * steps:
            raise RuntimeError(f"{len(rows)} of {at_a_time * steps} steps completed")
        took = [began - released for (_, released), (began, _) in pairwise(rows)]
        if min(took) < 0:
            raise RuntimeError(
                f"the lock was held twice: a step began {-min(took):.4f} s before the one before it ended"
            )
        return {"samples": took, "seconds": rows[-1][1] - rows[0][0]}

    def _gates(self, gates: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "breaker" in gates:
            found["breaker"] = {"name": "bench"}
        if "rate limit" in gates:
            found["rate_limits"] = [{"name": "bench", **NEVER_BINDS}]
        if "lock" in gates:
            found["locks"] = [{"name": f"bench-{next(self._numbers)}"}]
        return found

    def _start_together(self, workflows: list[WorkflowSpec]) -> list[str]:
        starts = self.runs_of_engine.starts
        return [run.run_id for run in starts.start([starts.plan(workflow, ACTOR) for workflow in workflows], ACTOR)]

    def _asked(self) -> dict[str, int]:
        """How often the gates that Valkey keeps were passed so far."""
        url = self.settings.redis_url
        breaker, limit = ValkeyBreakers(url).one("bench"), ValkeyRateLimits(url).one("bench")
        return {"breaker": breaker.calls if breaker else 0, "rate limit": limit.admitted if limit else 0}


def _run(steps: list[dict[str, Any]]) -> WorkflowSpec:
    return WorkflowSpec.model_validate({"name": "bench", "steps": steps})


if __name__ == "__main__":
    serve(Gated())
