"""The lines of gunicorn itself look like all others, and show no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from settings import ROOT
from tests.integration.relay.conftest import Relay

pytestmark = pytest.mark.integration

SECRET = "hunter2-and-more"


def test_every_line_of_a_relay_is_an_object_that_of_gunicorns_own_process_too(world, tmp_path, eventually):
    relay = Relay(world, tmp_path, PERDURE_LOG_FORMAT="json")
    try:
        eventually(relay.is_up, timeout_s=30)
    finally:
        relay.stop()
    said = [json.loads(line) for line in relay.log.read_text().splitlines()]
    assert any(line["message"].startswith("Starting gunicorn") for line in said)
    assert {line["logger"] for line in said} >= {"gunicorn.error"}


def test_gunicorns_own_process_masks_the_secrets_of_the_settings(tmp_path):
    tell = (
        "from gunicorn.config import Config; from api.server_log import ServerLog;"
        f"ServerLog(Config()).error('at %s', '{SECRET}')"
    )
    told = subprocess.run(
        [sys.executable, "-c", tell],
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1/0", "PERDURE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "at [redacted]" in told.stderr
    assert SECRET not in told.stderr
