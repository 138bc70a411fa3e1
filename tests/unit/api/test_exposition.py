"""Figures of several processes behind one port are added up."""

from __future__ import annotations

import os
import subprocess
import sys

NOTE = """
from api.exposition import HttpMetrics
HttpMetrics().note("GET", "/workflow/runs", "200", 0.002)
"""
READ = """
import sys
from api.exposition import HttpMetrics
sys.stdout.write(HttpMetrics().text().decode())
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_processes_that_share_a_directory_share_their_counts(tmp_path):
    for _ in range(2):
        run(NOTE, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    text = run(READ, PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    assert 'perdure_http_requests_total{method="GET",route="/workflow/runs",status="200"} 2.0' in text
    assert 'perdure_http_request_seconds_bucket{le="0.0025",route="/workflow/runs"} 2.0' in text
