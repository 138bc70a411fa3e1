"""Who may sign in, what they did, and the templates they keep."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Secrets are stored as SHA-256 only: they are random and long, so that neither salt nor stretching adds anything.
TABLES = """
CREATE TABLE tokens (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    user_name     text NOT NULL CHECK (length(user_name) BETWEEN 1 AND 100),
    role          text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    hash          bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    last_used_at  timestamptz
);

CREATE TABLE sessions (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    token_id    bigint NOT NULL REFERENCES tokens ON DELETE CASCADE,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sessions_token ON sessions (token_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

CREATE TABLE sign_in_codes (
    hash        bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    token_id    bigint NOT NULL REFERENCES tokens ON DELETE CASCADE,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sign_in_codes_token ON sign_in_codes (token_id);

CREATE TABLE audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL,
    actor    text NOT NULL,
    role     text NOT NULL,
    action   text NOT NULL,
    target   text NOT NULL,
    address  text NOT NULL,
    outcome  text NOT NULL CHECK (outcome IN ('done', 'refused', 'failed')),
    detail   jsonb NOT NULL
);

CREATE TABLE templates (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    workflow    jsonb NOT NULL,
    updated_by  text NOT NULL,
    updated_at  timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Create tokens, sessions, sign-in codes, the audit record and templates."""
    op.get_bind().exec_driver_sql(TABLES)
