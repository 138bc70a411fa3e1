"""Locks and places, what a step waits for, and what a run is for.

All of it may be missing in rows of the release before. The index of what is waited for is built beside the writes of a
system in use.
"""

from __future__ import annotations

from alembic import op

from orchestration.store.migrations.indexes import build_beside_writes

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE runs ADD COLUMN IF NOT EXISTS gated boolean NOT NULL DEFAULT false;
ALTER TABLE run_documents ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'workflow'
                              CHECK (kind IN ('workflow', 'interactive', 'background', 'agent')),
                          ADD COLUMN IF NOT EXISTS concurrency jsonb, ADD COLUMN IF NOT EXISTS run_locks jsonb;
ALTER TABLE steps ADD COLUMN IF NOT EXISTS waiting_on text, ADD COLUMN IF NOT EXISTS began_at timestamptz;

-- Who holds or waits for what only so many may hold; a lower rank goes first. `keys`: for how many its step asks.
CREATE TABLE IF NOT EXISTS lock_requests (
    key       text NOT NULL,
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    mode      text NOT NULL CHECK (mode IN ('exclusive', 'shared', 'place')),
    for_run   boolean NOT NULL,
    held      boolean NOT NULL,
    rank      double precision NOT NULL,
    asked_at  timestamptz NOT NULL,
    held_at   timestamptz CHECK (held = (held_at IS NOT NULL)),
    woken_at  timestamptz CHECK (woken_at IS NULL OR NOT held),
    keys      integer NOT NULL,
    PRIMARY KEY (key, run_id, position)
);
CREATE UNIQUE INDEX IF NOT EXISTS lock_requests_exclusive ON lock_requests (key) WHERE held AND mode = 'exclusive';
CREATE INDEX IF NOT EXISTS lock_requests_line ON lock_requests (key, rank, run_id, position) WHERE NOT held;
CREATE INDEX IF NOT EXISTS lock_requests_called ON lock_requests (woken_at) WHERE woken_at > '-infinity';
CREATE INDEX IF NOT EXISTS lock_requests_of ON lock_requests (run_id, position);

-- Those who ask for several keys, looked at when one of these is taken.
CREATE INDEX IF NOT EXISTS lock_requests_of_several ON lock_requests (key) WHERE NOT held AND keys > 1;

-- Of which keys there are how many places, while anybody holds or wants one.
CREATE TABLE IF NOT EXISTS lock_places (key text PRIMARY KEY, capacity integer NOT NULL CHECK (capacity > 0));

-- Lines that may go on. Written with the release, so that no wake-up is lost.
CREATE TABLE IF NOT EXISTS lock_wakes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL);

CREATE TABLE IF NOT EXISTS lock_contention (
    key       text NOT NULL,
    hour      timestamptz NOT NULL,
    waits     bigint NOT NULL,
    timeouts  bigint NOT NULL,
    waited_s  double precision NOT NULL,
    PRIMARY KEY (hour, key)
);
"""


def upgrade() -> None:
    """Add columns and tables, then build the index."""
    op.get_bind().exec_driver_sql(CHANGES)
    build_beside_writes(
        "steps_waiting_on",
        "ON steps (waiting_on, due_at) WHERE waiting_for IS NOT NULL AND waiting_on IS NOT NULL",
    )
