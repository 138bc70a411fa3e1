"""Fill a database with finished runs, as the engine would have left them, by set-based SQL in bounded batches.

A quiet year: three steps a run with documents, attempts and trace; nine runs in ten completed; ten people, twenty
templates, five hundred hosts. What is rare in it is named below, because lists have to find that too.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from bench.history_rollups import load_rollups

BATCH = 20_000
WORKERS = 2
STEPS = 3
TABLES = ("runs", "run_documents", "steps", "step_documents", "attempts", "trace", "idempotency_keys")

# One run of the whole history has this in its name.
NEEDLE = "the needle"
# All cancelled runs are the oldest: no statistics tell the planner that a status is all in one place.
CANCELLED_SHARE = 0.02
# One run in so many is this person's, this template's and this host's; none is among those that a purge takes first.
RARE_EVERY, RARE_AT = 50_000, 4_007
RARE_USER, RARE_TEMPLATE, RARE_HOST = "zoe", "yearly", "rare.example"

# `n` counts the runs from 1. The same numbers everywhere, so that the tables agree and every load is the same.
_FACTS = """
    SELECT n, now() - interval '1 year' + n * (interval '364 days' / %(runs)s) AS at,
           CASE WHEN n <= %(runs)s * %(cancelled)s THEN 'cancelled' WHEN n %% 12 = 5 THEN 'failed' ELSE 'completed' END
               AS status
      FROM generate_series(%(first)s, %(last)s) n
"""
_PUBLIC_ID = "'run-' || to_hex(hashint8extended(n, 0) & 2147483647) || '-' || n"
_VERSION = "CASE status WHEN 'completed' THEN 7 WHEN 'failed' THEN 5 ELSE 4 END"
_RUNS = f"""
INSERT INTO runs (id, public_id, status, ending, version, total, pending, queued, completed, failed, cancelled,
                  next_position, max_steps, created_at, started_at, updated_at, ended_at)
OVERRIDING SYSTEM VALUE
SELECT n, {_PUBLIC_ID}, status,
       CASE WHEN status <> 'completed' THEN status END, {_VERSION}, {STEPS}, 0, 0,
       CASE status WHEN 'completed' THEN {STEPS} ELSE 1 END, (status = 'failed')::integer,
       CASE status WHEN 'cancelled' THEN 2 WHEN 'failed' THEN 1 ELSE 0 END, {STEPS}, 10000,
       at, at + interval '5 ms', at + interval '90 s', at + interval '90 s'
  FROM ({_FACTS}) f
"""
_RUN_DOCUMENTS = f"""
INSERT INTO run_documents (run_id, name, template_id, workflow, params, ssh, metadata, request_hash, created_by,
                           created_role, error)
SELECT n, (ARRAY['nightly sync', 'provision host', 'rebuild index', 'send report', 'train model'])[n %% 5 + 1]
               || ' ' || n || CASE WHEN n = greatest(%(runs)s / 2, 1) THEN ' {NEEDLE}' ELSE '' END,
       CASE WHEN n %% {RARE_EVERY} = {RARE_AT} THEN '{RARE_TEMPLATE}' WHEN n %% 5 < 3 THEN 'template-' || n %% 20 END,
       jsonb_build_object('steps', jsonb_build_array(
           jsonb_build_object('key', 'fetch', 'action', 'noop'), jsonb_build_object('key', 'build', 'action', 'noop'),
           jsonb_build_object('key', 'store', 'action', 'noop'))),
       jsonb_build_object('source', 'bucket-' || n %% 1000, 'limit', n %% 100),
       CASE WHEN n %% {RARE_EVERY} = {RARE_AT} OR n %% 2 = 0 THEN jsonb_build_object(
           'host', CASE WHEN n %% {RARE_EVERY} = {RARE_AT} THEN '{RARE_HOST}' ELSE 'gpu-' || n %% 500 || '.example' END,
           'user', 'root', 'port', 22) END,
       '{{}}', md5(n::text),
       CASE WHEN n %% {RARE_EVERY} = {RARE_AT} THEN '{RARE_USER}' ELSE 'user-' || n %% 10 END, 'operator',
       CASE WHEN status = 'failed' THEN jsonb_build_object(
           'code', 'broken', 'message', 'the source did not answer', 'step', 'build') END
  FROM ({_FACTS}) f
"""
_STEP_STATUS = """
    CASE WHEN p = 0 OR status = 'completed' THEN 'completed' WHEN status = 'failed' AND p = 1 THEN 'failed'
         ELSE 'cancelled' END"""
_STEPS = f"""
INSERT INTO steps (run_id, position, key, action, queue, status, attempt, blocked_by, released, needs, dependents,
                   started_at, ended_at)
SELECT n, p, k, 'noop', 'default', {_STEP_STATUS}, ({_STEP_STATUS} <> 'cancelled')::integer,
       (p = 2 AND status <> 'completed')::integer,
       {_STEP_STATUS} = 'completed', CASE WHEN p = 0 THEN '{{}}' ELSE ARRAY[p - 1] END,
       CASE WHEN p = {STEPS} - 1 THEN '{{}}' ELSE ARRAY[p + 1] END,
       CASE WHEN {_STEP_STATUS} <> 'cancelled' THEN at + p * interval '30 s' END, at + (p + 1) * interval '30 s'
  FROM ({_FACTS}) f, (VALUES (0, 'fetch'), (1, 'build'), (2, 'store')) s(p, k)
"""
_STEP_DOCUMENTS = f"""
INSERT INTO step_documents (run_id, position, label, params, policy, reads)
SELECT n, p, initcap(k), jsonb_build_object('name', k, 'shard', n %% 64, 'note', 'as it was asked for'),
       jsonb_build_object('retry', jsonb_build_object('max_attempts', 3, 'base_delay_s', 1.0, 'max_delay_s', 30.0,
                                                      'jitter', 0.2),
                          'on_failure', 'fail', 'on_lost', 'retry', 'timeout_s', 3600), '{{}}'
  FROM ({_FACTS}) f, (VALUES (0, 'fetch'), (1, 'build'), (2, 'store')) s(p, k)
"""
_ATTEMPTS = f"""
INSERT INTO attempts (run_id, position, attempt, outcome, owner, started_at, ended_at, result, error)
SELECT n, p, 1, {_STEP_STATUS}, 'worker-' || n %% 8 || '@host',
       at + p * interval '30 s', at + (p + 1) * interval '30 s',
       CASE WHEN {_STEP_STATUS} = 'completed' THEN jsonb_build_object(
           'message', 'it went well', 'rows', n %% 10000, 'checksum', md5((n * 3 + p)::text)) END,
       CASE WHEN {_STEP_STATUS} = 'failed' THEN jsonb_build_object(
           'code', 'broken', 'message', 'the source did not answer', 'details', '{{}}'::jsonb) END
  FROM ({_FACTS}) f, generate_series(0, {STEPS} - 1) p
 WHERE {_STEP_STATUS} <> 'cancelled'
"""
_TRACE = f"""
INSERT INTO trace (run_id, seq, position, attempt, kind, run_status, at)
SELECT n, q, CASE WHEN is_step THEN (q - 2) / 2 END, CASE WHEN is_step THEN 1 END,
       CASE WHEN q = 1 THEN 'started' WHEN NOT is_step THEN 'stop_requested' WHEN q %% 2 = 0 THEN 'claimed'
            WHEN status = 'failed' AND q = 5 THEN 'failed' ELSE 'completed' END,
       CASE WHEN q = 1 THEN 'running' WHEN q = {_VERSION} THEN status END, at + (q - 1) * interval '15 s'
  FROM (SELECT n, at, status, q, q > 1 AND NOT (status = 'cancelled' AND q = 4) AS is_step
          FROM ({_FACTS}) f, generate_series(1, {_VERSION}) q) t
"""
_IDEMPOTENCY_KEYS = f"""
INSERT INTO idempotency_keys (scope, key, request_hash, public_id, created_at)
SELECT 'user-' || n %% 10, 'key-' || n, md5(n::text), {_PUBLIC_ID}, at FROM ({_FACTS}) f
"""
_STATEMENTS = (_RUNS, _RUN_DOCUMENTS, _STEPS, _STEP_DOCUMENTS, _ATTEMPTS, _TRACE, _IDEMPOTENCY_KEYS)


def load_history(url: str, runs: int, *, say: Callable[[str], None] | None = None) -> None:
    """Load `runs` finished runs into a migrated, empty database, and bring statistics and visibility up to date.

    Indexes are dropped first and built again in the end, exactly as the migrations made them.
    """
    tell = say or (lambda text: None)
    began = time.monotonic()
    batches = [(first, min(first + BATCH, runs + 1) - 1) for first in range(1, runs + 1, BATCH)]
    with _without_indexes(url, tell), ThreadPoolExecutor(WORKERS) as workers:
        tasks = [workers.submit(_load_batch, url, runs, first, last) for first, last in batches]
        for done, task in enumerate(tasks, start=1):
            task.result()
            tell(f"{min(done * BATCH, runs):,} of {runs:,} runs, {time.monotonic() - began:.0f} s")
    with _session(url) as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('runs', 'id'), (SELECT max(id) FROM runs))")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    tell(f"loaded in {time.monotonic() - began:.0f} s")


def fingerprint() -> str:
    """Changes with what is loaded."""
    return hashlib.sha256("".join(_STATEMENTS).encode()).hexdigest()[:8]


def sizes(url: str) -> dict[str, tuple[int, int]]:
    """Bytes of each table that was loaded, and of its indexes."""
    with _session(url) as cursor:
        cursor.execute(
            "SELECT t, pg_table_size(t::regclass), pg_indexes_size(t::regclass) FROM unnest(%s) t", (list(TABLES),)
        )
        return {table: (size, indexes) for table, size, indexes in cursor.fetchall()}


def progress(text: str) -> None:
    """Say how far it is, on the terminal and not in the output."""
    print(text, file=sys.stderr, flush=True)


def _load_batch(url: str, runs: int, first: int, last: int) -> None:
    values = {"runs": runs, "first": first, "last": last, "cancelled": CANCELLED_SHARE}
    with _session(url) as cursor:
        # What a crash would lose is loaded again; nobody waits for these rows.
        cursor.execute("SET synchronous_commit = off")
        for statement in _STATEMENTS:
            cursor.execute(statement, values)


@contextmanager
def _without_indexes(url: str, tell: Callable[[str], None]) -> Iterator[None]:
    with _session(url) as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype IN ('p', 'u') AND conrelid = ANY(%s::regclass[])",
            (list(TABLES),),
        )
        constraints: list[tuple[str, str, str]] = cursor.fetchall()
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = ANY(%s::regclass[]) AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)",
            (list(TABLES),),
        )
        indexes: list[tuple[str, str]] = cursor.fetchall()
        for table, name, _ in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for index, _ in indexes:
            cursor.execute(f"DROP INDEX {index}")
    yield
    tell("building indexes")
    with _session(url) as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for table, name, definition in constraints:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for _, definition in indexes:
            cursor.execute(definition)


def load_counts(url: str, runs: int) -> None:
    """What the janitor keeps of what ended, up to now: it is about the last days, so it is loaded anew each time."""
    with _session(url) as cursor:
        load_rollups(cursor, runs)


@contextmanager
def _session(url: str) -> Iterator[Any]:
    """A cursor of an autocommitting connection without time limits: these statements are long on purpose."""
    connection: psycopg2.extensions.connection = psycopg2.connect(url, application_name="bench-history")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
