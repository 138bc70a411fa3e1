-- The truth. `runs` and `steps` are narrow, because every step of a run touches them; documents have rows of their own.
-- What must never happen to the data is a constraint here, not a hope elsewhere.

CREATE TABLE runs (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id        text NOT NULL UNIQUE,
    status           text NOT NULL
        CHECK (status IN ('pending', 'running', 'paused', 'cancelling', 'completed', 'failed', 'cancelled')),
    ending           text CHECK (ending IN ('failed', 'cancelled')),
    version          bigint NOT NULL DEFAULT 1,
    total            integer NOT NULL,
    pending          integer NOT NULL CHECK (pending >= 0),
    queued           integer NOT NULL CHECK (queued >= 0),
    active           integer NOT NULL DEFAULT 0 CHECK (active >= 0),
    completed        integer NOT NULL DEFAULT 0 CHECK (completed >= 0),
    failed           integer NOT NULL DEFAULT 0 CHECK (failed >= 0),
    skipped          integer NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    cancelled        integer NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    next_position    integer NOT NULL,
    max_steps        integer NOT NULL,
    priority         smallint NOT NULL DEFAULT 5,
    concurrency_key  text,
    created_at       timestamptz NOT NULL,
    started_at       timestamptz,
    updated_at       timestamptz NOT NULL,
    ended_at         timestamptz,
    CONSTRAINT runs_counters_add_up CHECK (
        total = pending + queued + active + completed + failed + skipped + cancelled),
    CONSTRAINT runs_ended_when_finished CHECK (
        (status IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CONSTRAINT runs_finished_when_nothing_is_open CHECK (
        (status IN ('completed', 'failed', 'cancelled')) = (pending + queued + active = 0)),
    CONSTRAINT runs_running_has_work CHECK (status <> 'running' OR queued + active > 0),
    CONSTRAINT runs_cancelling_has_only_active CHECK (
        status <> 'cancelling' OR (active > 0 AND pending = 0 AND queued = 0 AND ending IS NOT NULL))
) WITH (fillfactor = 50);

CREATE INDEX runs_unfinished ON runs (id) WHERE ended_at IS NULL;
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX runs_concurrency ON runs (concurrency_key) WHERE ended_at IS NULL AND concurrency_key IS NOT NULL;

CREATE TABLE run_documents (
    run_id         bigint PRIMARY KEY,
    name           text NOT NULL,
    template_id    text,
    workflow       jsonb NOT NULL,
    params         jsonb NOT NULL,
    ssh            jsonb,
    metadata       jsonb NOT NULL,
    request_hash   text NOT NULL,
    created_by     text NOT NULL,
    created_role   text NOT NULL,
    forked_from    text,
    error          jsonb,
    archived_at    timestamptz
);
CREATE INDEX run_documents_created_by ON run_documents (created_by, run_id DESC);

CREATE TABLE steps (
    run_id          bigint NOT NULL,
    position        integer NOT NULL,
    key             text NOT NULL,
    action          text NOT NULL,
    queue           text NOT NULL,
    status          text NOT NULL CHECK (status IN (
        'pending', 'ready', 'in_progress', 'waiting', 'completed', 'failed', 'skipped', 'cancelled')),
    waiting_for     text CHECK (waiting_for IN (
        'retry', 'delay', 'lock', 'rate_limit', 'breaker', 'throttled', 'signal')),
    attempt         integer NOT NULL DEFAULT 0,
    failures        integer NOT NULL DEFAULT 0,
    losses          integer NOT NULL DEFAULT 0,
    sends           smallint NOT NULL DEFAULT 0,
    blocked_by      integer NOT NULL CHECK (blocked_by >= 0),
    released        boolean NOT NULL DEFAULT false,
    held            boolean NOT NULL DEFAULT false,
    stop_requested  boolean NOT NULL DEFAULT false,
    disabled        boolean NOT NULL DEFAULT false,
    made_by         integer,
    delay_s         real NOT NULL DEFAULT 0,
    owner           text,
    lease_until     timestamptz,
    due_at          timestamptz,
    started_at      timestamptz,
    ended_at        timestamptz,
    needs           integer[] NOT NULL,
    dependents      integer[] NOT NULL,
    PRIMARY KEY (run_id, position),
    -- The key first: (run_id, key) looks as good as the primary key for finding a position while there are no statistics.
    CONSTRAINT steps_key UNIQUE (key, run_id),
    CONSTRAINT steps_held_by_a_lease CHECK (
        (status = 'in_progress') = (owner IS NOT NULL) AND (status = 'in_progress') = (lease_until IS NOT NULL)),
    CONSTRAINT steps_waiting_has_a_reason CHECK ((status = 'waiting') = (waiting_for IS NOT NULL)),
    CONSTRAINT steps_ended_has_a_time CHECK (
        (status IN ('completed', 'failed', 'skipped', 'cancelled')) = (ended_at IS NOT NULL)),
    CONSTRAINT steps_open_when_unblocked CHECK (
        (status NOT IN ('ready', 'in_progress', 'waiting') OR blocked_by = 0)
        AND (status <> 'pending' OR blocked_by > 0)),
    CONSTRAINT steps_released_when_satisfied CHECK (
        NOT released OR status IN ('completed', 'failed', 'skipped')),
    CONSTRAINT steps_due_only_when_queued CHECK (due_at IS NULL OR status IN ('ready', 'waiting'))
) WITH (fillfactor = 70);

-- The planner is told that runs are long. Where most have one step it would otherwise read a whole run to find one step
-- of it, which costs nothing in a short run and makes a long one quadratic.
ALTER TABLE steps ALTER COLUMN run_id SET (n_distinct = -0.001);

-- What the sweep looks for. `lease_until` is in no index, so that heartbeats stay HOT.
CREATE INDEX steps_due ON steps (due_at) WHERE due_at IS NOT NULL AND NOT held;
CREATE INDEX steps_in_progress ON steps (run_id, position) WHERE status = 'in_progress';

CREATE TABLE step_documents (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    label     text NOT NULL,
    params    jsonb NOT NULL,
    policy    jsonb NOT NULL,
    reads     text[] NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE attempts (
    run_id      bigint NOT NULL,
    position    integer NOT NULL,
    attempt     integer NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN (
        'completed', 'failed', 'skipped', 'cancelled', 'waiting', 'lost', 'handed_back')),
    owner       text,
    started_at  timestamptz,
    ended_at    timestamptz NOT NULL,
    result      jsonb,
    error       jsonb,
    PRIMARY KEY (run_id, position, attempt)
);

CREATE TABLE trace (
    run_id      bigint NOT NULL,
    seq         bigint NOT NULL,
    position    integer,
    attempt     integer,
    kind        text NOT NULL,
    run_status  text,
    at          timestamptz NOT NULL,
    detail      jsonb,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE checkpoints (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    attempt   integer NOT NULL,
    data      jsonb NOT NULL,
    saved_at  timestamptz NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE progress (
    run_id      bigint NOT NULL,
    position    integer NOT NULL,
    attempt     integer NOT NULL,
    document    jsonb NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (run_id, position)
) WITH (fillfactor = 50);

CREATE TABLE logs (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    attempt   integer NOT NULL,
    "offset"  bigint NOT NULL,
    level     text NOT NULL,
    at        timestamptz NOT NULL,
    text      text NOT NULL,
    PRIMARY KEY (run_id, position, attempt, "offset")
);

CREATE TABLE log_sizes (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    size      bigint NOT NULL,
    PRIMARY KEY (run_id, position)
);

-- A signal is a row first: one that comes early is found by its step when that comes to wait.
CREATE TABLE signals (
    run_id    bigint NOT NULL,
    position  integer NOT NULL,
    payload   jsonb NOT NULL,
    sent_by   text NOT NULL,
    sent_at   timestamptz NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE idempotency_keys (
    scope         text NOT NULL,
    key           text NOT NULL,
    request_hash  text NOT NULL,
    public_id     text NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

-- Which janitor sweeps. A lease and no session lock: a frozen process keeps its session, and with it the lock, for ever.
CREATE TABLE janitor (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    owner  text NOT NULL,
    until  timestamptz NOT NULL
);
INSERT INTO janitor VALUES (true, '', '-infinity');

-- Who may hold attempts: one row a worker's main process. Its session lock is a second sign of life.
CREATE TABLE workers (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    host        text NOT NULL,
    boot_id     text NOT NULL,
    pid         integer NOT NULL,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz
);
