from __future__ import annotations

import json
import os
import subprocess
import sys

from settings import ROOT

SHOW = (
    "import json; from celery import current_app as app; "
    "print(json.dumps([app.conf.broker_url, app.conf.accept_content, app.conf.broker_transport_options['sep']]))"
)


def test_celery_without_an_app_finds_the_broker_and_the_settings_in_the_projects_directory():
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:7777/3"}
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert json.loads(shown.stdout) == ["redis://127.0.0.1:7777/3", ["json"], ":"]
