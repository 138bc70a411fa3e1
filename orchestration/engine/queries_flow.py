"""What holds steps back just now: what they wait for, and who holds the locks they wait for."""

from __future__ import annotations

from orchestration.store.database import Database
from schemas.json import JsonObject

# Steps and requests are looked at up to this many.
COUNTED = 10_000


def read_flow(database: Database) -> JsonObject:
    """Waiting steps by reason and by what they wait on; locks with the first holders and those first in line."""
    found: JsonObject = database.call("SELECT shown_flow(%s)", COUNTED)
    return found
