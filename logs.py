"""The log of every process: one line a fact, ids as fields, secrets taken out. Set up by each process's root.

A line that is written while an attempt runs, by whatever library, carries the ids of that attempt: the thread that runs
it knows them, see `attempt_logs`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from orchestration.redaction import Redactor
from orchestration.redaction_patterns import SECRET_KEY

LogFormat = Literal["text", "json"]

# What a record has by itself; anything else was given as `extra` and is a field. Celery repeats its sentence in `data`.
_OWN = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "data", "hostname", "taskName"}
# These would write to handlers of their own, past what is set here.
_STUBBORN = ("gunicorn.error", "gunicorn.access")
# Of the secrets that attempts were given so many are remembered, the last ones.
MOST_SECRETS = 32

_attempt: ContextVar[Mapping[str, object] | None] = ContextVar("perdure_attempt", default=None)


def configure_logs(level: str, form: LogFormat = "text", *, secrets: Iterable[str] = ()) -> None:
    """Send all logging of this process to stderr, of `level` and above, libraries' too.

    form: `text`, lines of `key=value` for people; `json`, an object a line for machines.
    secrets: values that are taken out wherever they appear, beside those that look like one.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else FieldFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in _STUBBORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    _KNOWN.add_own(secrets)


@contextmanager
def attempt_logs(run_id: str, step: str, attempt: int) -> Iterator[None]:
    """All that this thread logs in the body is said of an attempt. Threads that it starts have to say so themselves."""
    before = _attempt.set({"run_id": run_id, "step": step, "attempt": attempt})
    try:
        yield
    finally:
        _attempt.reset(before)


def known_secrets() -> Redactor:
    """What takes the secrets out that this process knows of just now."""
    return _KNOWN.redactor


def trace_id_of(run_id: str) -> str:
    """The trace id of a run, in the form of W3C Trace Context: the same in every process, so none has to be carried."""
    return hashlib.blake2b(run_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class LoggedRedactor(Redactor):
    """Takes its secrets out of this process's log as well, whichever thread writes it."""

    def add(self, value: str) -> None:
        """Redact this value from now on."""
        super().add(value)
        _KNOWN.add(value)


class FieldFormatter(logging.Formatter):
    """`time level logger: sentence key=value ...`, one line each; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        words = [_time(record), record.levelname.lower(), f"{record.name}:", _one_line(record.getMessage())]
        words += [f"{name}={_value(value)}" for name, value in _fields(record).items()]
        text = " ".join(words)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return _KNOWN.redactor.text(text)


class JsonFormatter(logging.Formatter):
    """A JSON object a line: `time`, `level`, `logger`, `message`, the fields, and `exception` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as JSON."""
        document: dict[str, object] = {
            **{name: _plain(value) for name, value in _fields(record).items()},
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        redactor, text = _KNOWN.redactor, json.dumps(document)
        if not redactor.spans(text) and not any(map(SECRET_KEY.search, document)):
            return text
        # Each value by itself: a mask over the whole line could take the quotes with it.
        return json.dumps(redactor.json(document))


class _KnownSecrets:
    """The values that the log of this process must not show."""

    def __init__(self) -> None:
        self._own: tuple[str, ...] = ()
        self._given: dict[str, None] = {}
        self._lock = threading.Lock()
        self.redactor = Redactor()

    def add_own(self, values: Iterable[str]) -> None:
        """Those of the process itself, which are never forgotten."""
        with self._lock:
            self._own = tuple({*self._own, *filter(None, values)})
            self.redactor = Redactor((*self._own, *self._given))

    def add(self, value: str) -> None:
        """One that an attempt was given. Each costs a search a line, so the one that was used longest ago goes."""
        with self._lock:
            is_known = self._given.pop(value, False) is None
            self._given[value] = None
            if is_known:
                return
            while len(self._given) > MOST_SECRETS:
                del self._given[next(iter(self._given))]
            self.redactor = Redactor((*self._own, *self._given))


_KNOWN = _KnownSecrets()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What the record says by its `extra`, and of which attempt and run it is."""
    said = {name: value for name, value in record.__dict__.items() if name not in _OWN}
    if record.name.startswith("celery."):
        said |= _of_message(getattr(record, "data", None))
    current = _attempt.get() or {}
    fields = {**current, **said} if said.get("run_id", current.get("run_id")) == current.get("run_id") else said
    if "run_id" in fields and "trace_id" not in fields:
        fields["trace_id"] = trace_id_of(str(fields["run_id"]))
    return fields


def _of_message(data: object) -> dict[str, object]:
    """The run and the position that a line of Celery's is about: its message's id says both, see the dispatcher."""
    parts = str(data.get("id", "")).rsplit(".", 2) if isinstance(data, Mapping) else []
    return {"run_id": parts[0], "position": int(parts[1])} if len(parts) == 3 and parts[1].isdecimal() else {}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _one_line(text: str) -> str:
    # A line break in a sentence could pass for a line of its own.
    return text.replace("\r", "\\r").replace("\n", "\\n")


def _value(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text and text else json.dumps(text)


def _plain(value: object) -> object:
    """The value, if JSON has it; else its text. Not a number is none that JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and abs(value) < float("inf") else str(value)
