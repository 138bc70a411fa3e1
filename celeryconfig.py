"""Celery's settings for operators: what `celery` and Flower read when no app is named.

The broker is the one of REDIS_URL, else the embedded one of the stack that `perdure up` runs for this clone, so that
`celery inspect ping` in the project's directory finds the workers. Read when the process starts.
"""

from __future__ import annotations

from messaging.celery_app import celery_settings
from settings import load_settings

globals().update(celery_settings(load_settings().broker_url))
