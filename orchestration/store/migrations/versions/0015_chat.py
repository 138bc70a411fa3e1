"""Texts that steps write piece by piece, and conversations: messages, some of which a step writes.

A message of its own and no view of the run: runs are purged, and conversations stay. What a step came to is copied into
its message by a trigger, in the transaction that ends the step, whichever of the many ways that is.
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

CHANGES = """
-- What the attempt at hand has written so far, kept for the next one and for readers who come late. `edition` counts
-- how often the attempt began its text anew: it says which events a text goes on with.
CREATE TABLE IF NOT EXISTS texts (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    attempt   integer NOT NULL,
    edition   integer NOT NULL,
    text      text NOT NULL,
    saved_at  timestamptz NOT NULL,
    PRIMARY KEY (run_id, position)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS conversations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id   text NOT NULL UNIQUE,
    title       text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    leaf_id     bigint
);
CREATE INDEX IF NOT EXISTS conversations_updated ON conversations (updated_at DESC, id DESC);

-- A tree: `parent_id` is what a message follows, several with one parent are branches. `part` is 'message', or
-- 'proposal' for what a mixture's aggregator is given: its parent is the answer, and it is no branch. `run_id` and
-- `position` name the step that writes it; `public_run` is the public id of that run, which outlives it here;
-- `text_attempt` and `text_edition` say who wrote the text: readers who had one of others know that it was replaced.
CREATE TABLE IF NOT EXISTS messages (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id        text NOT NULL UNIQUE,
    conversation_id  bigint REFERENCES conversations ON DELETE CASCADE,
    parent_id        bigint,
    part             text NOT NULL CHECK (part IN ('message', 'proposal')),
    role             text NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    status           text NOT NULL CHECK (status IN ('writing', 'completed', 'stopped', 'failed')),
    text             text NOT NULL,
    text_attempt     integer,
    text_edition     integer,
    model            text,
    run_id           bigint,
    position         integer,
    public_run       text,
    battle           text,
    finish_reason    text,
    usage            jsonb,
    timings          jsonb,
    error            jsonb,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    CONSTRAINT messages_ended_has_a_time CHECK ((status = 'writing') = (ended_at IS NULL)),
    CONSTRAINT messages_written_by_a_step CHECK (status <> 'writing' OR run_id IS NOT NULL)
);
CREATE INDEX IF NOT EXISTS messages_of_a_conversation ON messages (conversation_id, id);
CREATE INDEX IF NOT EXISTS messages_proposals ON messages (parent_id) WHERE part = 'proposal';
CREATE UNIQUE INDEX IF NOT EXISTS messages_of_a_step ON messages (run_id, position) WHERE run_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS messages_writing ON messages (conversation_id) WHERE status = 'writing';

-- Models side by side on one question, blind until somebody has voted. `winner` is a message's public id.
CREATE TABLE IF NOT EXISTS battles (
    public_id   text PRIMARY KEY,
    models      text[] NOT NULL,
    messages    text[] NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    verdict     text CHECK (verdict IN ('winner', 'tie', 'all_bad')),
    winner      text CHECK ((winner IS NOT NULL) = (verdict IS NOT DISTINCT FROM 'winner')),
    voted_by    text,
    voted_at    timestamptz CHECK ((voted_at IS NULL) = (verdict IS NULL))
);
CREATE INDEX IF NOT EXISTS battles_voted ON battles (voted_at) WHERE verdict IS NOT NULL;

-- Beside the tables and not with the other functions, which are replaced as a whole: a trigger would go with its
-- function. What it calls is looked up by name when it fires.
CREATE OR REPLACE FUNCTION step_ended() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM settle_message(NEW.run_id, NEW.position);
    RETURN NULL;
END $body$;

-- Deferred to the commit: the outcome of the attempt is written after the step's row. Steps of other actions pay for
-- nothing but the comparison of a name.
DROP TRIGGER IF EXISTS steps_settle_message ON steps;
CREATE CONSTRAINT TRIGGER steps_settle_message AFTER UPDATE OF status ON steps DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (NEW.action = 'chat.generate' AND NEW.status <> OLD.status
                   AND (NEW.ended_at IS NOT NULL OR OLD.ended_at IS NOT NULL))
EXECUTE FUNCTION step_ended();
"""


def upgrade() -> None:
    """Add the tables and the trigger."""
    op.get_bind().exec_driver_sql(CHANGES)
