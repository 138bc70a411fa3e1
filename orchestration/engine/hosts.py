"""The hosts that workers run on, as they report themselves: for those who look at the fleet. No step waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from orchestration.gates.load import Load, LoadSample
from orchestration.store.database import Database, as_jsonb
from schemas.json import JsonObject

# A host that said nothing for so long is forgotten.
FORGET_S = 3600.0


class Hosts:
    """The reports of hosts in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def report(self, host: str, sample: LoadSample, load: Load) -> None:
        """Say how a host is; several workers on one say the same. Raises: StoreUnavailable."""
        document = asdict(sample) | {"level": load.level, "reason": load.reason or None}
        self.database.call("SELECT report_host(%s, %s)", host, as_jsonb(document))

    def all(self) -> Sequence[JsonObject]:
        """Every host, by name; `silent_s` is how long ago it reported. Raises: StoreUnavailable."""
        hosts: Sequence[JsonObject] = self.database.call("SELECT read_hosts()")
        return hosts

    def forget_silent(self, older_than_s: float = FORGET_S) -> int:
        """Remove hosts that have been silent for long; how many. Raises: StoreUnavailable."""
        return int(self.database.call("SELECT forget_hosts(%s)", older_than_s))
