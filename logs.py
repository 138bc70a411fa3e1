"""The log of every process: one line a fact, ids as fields, secrets taken out. Set up by each process's root."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from orchestration.redaction import Redactor

_redactor = Redactor()


def configure_logs(level: str) -> None:
    """Send all logging of this process to stderr as `key=value` lines of `level` and above."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _drop_celery_data,
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.LogfmtRenderer(
                key_order=["timestamp", "level", "event"], drop_missing=True, bool_as_flag=False
            ),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _drop_celery_data(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Celery attaches its arguments a second time; they are in the sentence."""
    event.pop("data", None)
    event.pop("hostname", None)
    return event


def _redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    clean = {key: _redactor.text(value) if isinstance(value, str) else value for key, value in event.items()}
    return {key.replace(" ", "_"): value for key, value in clean.items()}
