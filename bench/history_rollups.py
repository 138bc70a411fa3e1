"""Fill what the janitor keeps of what ended, as a busy system leaves it, the same in a young and in an old database.

Each minute of 48 hours, each hour and each day of 90 days has steps of 30 actions on 6 queues and 8 hosts, three kinds
of runs, waits for five dependencies, and errors of ten codes. Rows lie as they came, by time.
"""

from __future__ import annotations

from typing import Any

_SPANS = """
    SELECT s.span, at, s.ended
      FROM (VALUES ('minute', interval '48 hours', interval '1 minute', 4),
                   ('hour', interval '90 days', interval '1 hour', 240),
                   ('day', interval '90 days', interval '1 day', 5760)) s(span, length, step, ended),
           LATERAL generate_series(date_trunc(s.span, now() - s.length, 'UTC'), now(), s.step) at
"""
_NAMES = """
    SELECT 'total' AS kind, '' AS name, 30 AS parts
    UNION ALL SELECT 'action', 'work.of.kind_' || i, 1 FROM generate_series(1, 30) i
    UNION ALL SELECT 'queue', 'queue-' || i, 5 FROM generate_series(1, 6) i
    UNION ALL SELECT 'host', 'host-' || i, 4 FROM generate_series(1, 8) i
    UNION ALL SELECT 'reason', unnest(ARRAY['retry', 'lock', 'rate_limit', 'breaker', 'throttled']), 1
    UNION ALL SELECT 'on', 'rate:api-' || i, 1 FROM generate_series(1, 5) i
    UNION ALL SELECT 'run', unnest(ARRAY['interactive', 'standard', 'background']), 3
"""
_COUNTS = f"""
INSERT INTO metrics_counts (span, at, kind, name, ended, completed, failed, retried, fallbacks, skipped, cancelled,
                            waiting, lost, handed_back, timed, duration_s, cpu_s, peak_memory)
SELECT p.span, p.at, k.kind, k.name, n, n - n / 10, n / 10, n / 20, 0, 0, 0,
       CASE WHEN k.kind IN ('reason', 'on') THEN n ELSE 0 END, 0, 0, n, n * 1.5, n * 0.2, 100000000
  FROM ({_SPANS}) p, ({_NAMES}) k, LATERAL (SELECT p.ended * k.parts AS n) x ORDER BY p.span, p.at
"""
_DURATIONS = f"""
INSERT INTO metrics_durations
SELECT p.span, p.at, k.kind, k.name, b, p.ended * k.parts / 5 + 1
  FROM ({_SPANS}) p, ({_NAMES}) k, generate_series(14, 18) b WHERE k.kind IN ('total', 'action', 'run')
 ORDER BY p.span, p.at
"""
_ERRORS = f"""
INSERT INTO metrics_errors
SELECT p.span, p.at, 'code_' || i, 'work.of.kind_' || i, p.ended,
       1 + (i * 7919 + extract(epoch FROM p.at)::bigint) %% %(runs)s, 1, 'the source did not answer', p.at
  FROM ({_SPANS}) p, generate_series(1, 10) i ORDER BY p.span, p.at
"""
_FOLDED = "UPDATE metrics_folded SET attempts_until = now(), runs_until = now()"
_STATEMENTS = (_COUNTS, _DURATIONS, _ERRORS, _FOLDED)


def load_rollups(cursor: Any, runs: int) -> None:
    """Put them in place of whatever is there, which an earlier day may have left."""
    cursor.execute("TRUNCATE metrics_counts, metrics_durations, metrics_errors")
    for statement in _STATEMENTS:
        cursor.execute(statement, {"runs": runs})
    for table in ("metrics_counts", "metrics_durations", "metrics_errors"):
        cursor.execute(f"VACUUM ANALYZE {table}")
