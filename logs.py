"""The log of every process: one line a fact, ids as fields, secrets taken out. Set up by each process's root."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from orchestration.redaction import Redactor

# What a record has by itself; anything else was given as `extra` and is a field. Celery repeats its sentence in `data`.
_OWN = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "data", "hostname", "taskName"}


def configure_logs(level: str) -> None:
    """Send all logging of this process to stderr as `key=value` lines of `level` and above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class FieldFormatter(logging.Formatter):
    """`time level logger: sentence key=value ...`, one line each; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._redactor = Redactor()

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        words = [time, record.levelname.lower(), f"{record.name}:", _one_line(record.getMessage())]
        words += [f"{name}={_value(value)}" for name, value in fields.items()]
        text = " ".join(words)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return self._redactor.text(text)


def _one_line(text: str) -> str:
    # A line break in a sentence could pass for a line of its own.
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _value(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and text else json.dumps(text)
