"""Alerts: one row for as long as something holds, and what became of it, which is also what is still to be told."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

CHANGES = """
-- `pending`: holds, not yet for long enough to be told. `quiet_until`: resolved by hand, and not to come back before it
-- was gone, or before that time. Rewritten every few seconds while it lasts, so pages keep room for it.
CREATE TABLE IF NOT EXISTS alerts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule             text NOT NULL,
    subject          text NOT NULL,
    severity         text NOT NULL CHECK (severity IN ('warning', 'critical')),
    status           text NOT NULL CHECK (status IN ('pending', 'open', 'resolved')),
    version          integer NOT NULL DEFAULT 1,
    value            double precision NOT NULL,
    peak             double precision NOT NULL,
    threshold        double precision NOT NULL,
    message          text NOT NULL,
    details          jsonb NOT NULL,
    since            timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    below_since      timestamptz,
    opened_at        timestamptz CHECK ((status = 'pending') = (opened_at IS NULL)),
    acknowledged_at  timestamptz,
    acknowledged_by  text CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL)),
    acknowledge_note text,
    resolved_at      timestamptz CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    resolved_by      text,
    resolve_note     text,
    quiet_until      timestamptz CHECK (quiet_until IS NULL OR status = 'resolved')
) WITH (fillfactor = 50);
-- Two janitors at once cannot make two of one kind.
CREATE UNIQUE INDEX IF NOT EXISTS alerts_one_of_a_kind ON alerts (rule, subject)
 WHERE status <> 'resolved' OR quiet_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS alerts_over ON alerts (id) WHERE status = 'resolved';
CREATE INDEX IF NOT EXISTS alerts_resolved_at ON alerts (resolved_at) WHERE status = 'resolved';

-- `told_at` NULL: the channels are still to be told. `run_id`: the public id of the run that tells them.
CREATE TABLE IF NOT EXISTS alert_changes (
    alert_id  bigint NOT NULL REFERENCES alerts ON DELETE CASCADE,
    number    integer NOT NULL,
    change    text NOT NULL CHECK (change IN ('opened', 'acknowledged', 'resolved')),
    at        timestamptz NOT NULL,
    value     double precision NOT NULL,
    message   text NOT NULL,
    actor     text,
    note      text,
    told_at   timestamptz,
    run_id    text,
    PRIMARY KEY (alert_id, number)
);
CREATE INDEX IF NOT EXISTS alert_changes_untold ON alert_changes (at) WHERE told_at IS NULL;
"""


def upgrade() -> None:
    """Add the tables."""
    op.get_bind().exec_driver_sql(CHANGES)
