"""What ended, counted by minute and hour, so that nobody who looks has to read the history.

The index of attempts by their end is what the counting goes along. It is built beside the writes of a system in use.
"""

from __future__ import annotations

from alembic import op

from orchestration.store.migrations.indexes import build_beside_writes

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHANGES = """
-- Up to where attempts and runs have been counted. NULL: nothing yet.
CREATE TABLE IF NOT EXISTS metrics_folded (
    single          boolean PRIMARY KEY DEFAULT true CHECK (single),
    attempts_until  timestamptz,
    runs_until      timestamptz
);
INSERT INTO metrics_folded VALUES (true) ON CONFLICT DO NOTHING;

-- `kind` total, action, queue, host, reason, on: attempts; run: runs, by what they are for. `ever` has one row a name.
-- failed: the step failed with it; retried: failed, and tried again; fallbacks: failed, and something else stood in;
-- lost: whatever came of it; timed: those whose duration is in `duration_s`; peak_memory: bytes, of the one with most.
CREATE TABLE IF NOT EXISTS metrics_counts (
    span         text NOT NULL CHECK (span IN ('minute', 'hour', 'day', 'ever')),
    at           timestamptz NOT NULL,
    kind         text NOT NULL,
    name         text NOT NULL,
    ended        bigint NOT NULL,
    completed    bigint NOT NULL,
    failed       bigint NOT NULL,
    retried      bigint NOT NULL,
    fallbacks    bigint NOT NULL,
    skipped      bigint NOT NULL,
    cancelled    bigint NOT NULL,
    waiting      bigint NOT NULL,
    lost         bigint NOT NULL,
    handed_back  bigint NOT NULL,
    timed        bigint NOT NULL,
    duration_s   double precision NOT NULL,
    cpu_s        double precision NOT NULL,
    peak_memory  bigint,
    PRIMARY KEY (span, kind, at, name)
) WITH (fillfactor = 70);

-- How many took how long, see `duration_bucket`; of kinds total, action and run.
CREATE TABLE IF NOT EXISTS metrics_durations (
    span    text NOT NULL CHECK (span IN ('minute', 'hour', 'day', 'ever')),
    at      timestamptz NOT NULL,
    kind    text NOT NULL,
    name    text NOT NULL,
    bucket  smallint NOT NULL,
    n       bigint NOT NULL,
    PRIMARY KEY (span, kind, at, name, bucket)
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS metrics_errors (
    span      text NOT NULL CHECK (span IN ('minute', 'hour', 'day')),
    at        timestamptz NOT NULL,
    code      text NOT NULL,
    action    text NOT NULL,
    n         bigint NOT NULL,
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    message   text NOT NULL,
    last_at   timestamptz NOT NULL,
    PRIMARY KEY (span, at, code, action)
) WITH (fillfactor = 70);

CREATE TABLE IF NOT EXISTS breaker_changes (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL,
    before  text NOT NULL,
    after   text NOT NULL,
    at      timestamptz NOT NULL,
    why     text NOT NULL,
    actor   text
);
CREATE INDEX IF NOT EXISTS breaker_changes_name ON breaker_changes (name, id);
"""


def upgrade() -> None:
    """Add the tables, then build the index."""
    op.get_bind().exec_driver_sql(CHANGES)
    build_beside_writes("attempts_ended", "ON attempts (ended_at)")
