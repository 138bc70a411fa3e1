"""The last good results of steps that fall back to one: kept after a success, looked for when a step gives up."""

from __future__ import annotations

import logging

from orchestration.core.decide import Decision, Verb, with_cached
from orchestration.core.references import UnresolvedReference, resolve
from orchestration.engine.leases import Lease
from orchestration.engine.planning import fingerprint
from orchestration.errors import InvalidWorkflow, PerdureError, TooLarge
from orchestration.store.database import Database, as_jsonb
from schemas.json import Json, JsonObject
from schemas.retry import LONGEST_CACHED_S, FallbackPolicy

log = logging.getLogger(__name__)

PURGED = 200


class CachedResults:
    """Results by action, step key, resolved parameters and host: with others, a result would be of something else."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def remember(self, lease: Lease, decision: Decision) -> None:
        """Keep the result of a step that asks for it and has succeeded. Raises nothing: an older one will do."""
        policy = lease.policy.on_failure
        if not isinstance(policy, FallbackPolicy) or not policy.remembers:
            return
        if decision.verb is not Verb.COMPLETE or decision.error is not None:
            return
        try:
            key = self._key(lease, lease.key, lease.action, lease.params, lease.reads)
            self.database.call("SELECT remember_result(%s, %s)", key, as_jsonb(decision.result))
        except PerdureError as error:
            log.warning("result not kept: %s", error, extra={"run_id": lease.run_id, "step": lease.key})

    def instead(self, lease: Lease, decision: Decision) -> Decision:
        """The decision, with a cached result in place of a failure where it asks for one and there is one.

        Raises: StoreUnavailable.
        """
        link = decision.cached
        if link is None:
            return decision
        step, action, params, reads = lease.key, lease.action, lease.params, lease.reads
        if link.of is not None:
            found: JsonObject | None = self.database.call("SELECT step_inputs(%s, %s)", lease.run, link.of)
            if found is None:
                return decision
            step, action, params, reads = link.of, found["action"], found["params"], found["reads"]
        try:
            key = self._key(lease, step, action, params, reads)
        except (UnresolvedReference, InvalidWorkflow, TooLarge):
            # It never had parameters, so it never had a result for them.
            return decision
        kept: JsonObject | None = self.database.call(
            "SELECT cached_result(%s, %s)", key, link.max_age_s or LONGEST_CACHED_S
        )
        return decision if kept is None else with_cached(decision, kept["result"])

    def purge(self) -> int:
        """Delete a batch of what nobody may take any more; how many. Raises: StoreUnavailable."""
        return int(self.database.call("SELECT purge_cached_results(%s, %s)", LONGEST_CACHED_S, PURGED))

    def _key(self, lease: Lease, step: str, action: str, params: Json, reads: JsonObject) -> bytes:
        scope = {"params": lease.run_params, "steps": reads, "run": {"id": lease.run_id, "name": lease.run_name}}
        host = lease.host.address if lease.host is not None else None
        return bytes.fromhex(fingerprint([action, step, resolve(params, scope), host]))
