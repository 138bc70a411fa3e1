"""What a line of the log looks like, in both forms, and what it may not show."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import logs
from logs import FieldFormatter, JsonFormatter, LoggedRedactor, attempt_logs, configure_logs, trace_id_of

SECRET = "hunter2-and-more"
RUN = {"run_id": "r1", "step": "a b", "attempt": 2}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that one test told are not known in the next."""
    monkeypatch.setattr(logs, "_KNOWN", logs._KnownSecrets())


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "perdure.x", "levelname": "INFO", "msg": message, **extra})


def line(message: str, **extra: object) -> str:
    return FieldFormatter().format(record(message, **extra))


def document(message: str, **extra: object) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(JsonFormatter().format(record(message, **extra)))
    return read


def test_ids_are_fields() -> None:
    assert line("worker is dead", owner="io@box", step="a b").endswith(
        'info perdure.x: worker is dead owner=io@box step="a b"'
    )
    found = document("worker is dead", owner="io@box", steps=3, share=0.5, gone=None, path=threading)
    assert found.pop("time").endswith("+00:00")
    assert found.pop("path").startswith("<module")
    assert found == {
        "level": "info",
        "logger": "perdure.x",
        "message": "worker is dead",
        "owner": "io@box",
        "steps": 3,
        "share": 0.5,
        "gone": None,
    }


def test_what_celery_says_of_a_message_has_the_ids_of_its_step() -> None:
    said = {"name": "celery.app.trace", "data": {"id": "a.b.run.17.0f0f0f0f", "args": "('x', 1)"}}
    assert line("Task t succeeded", **said).endswith(
        f"celery.app.trace: Task t succeeded run_id=a.b.run position=17 trace_id={trace_id_of('a.b.run')}"
    )
    for other in ({"id": "1f-2e"}, {"id": "a.b.c"}, {}, None):
        assert "run_id" not in document("Task t succeeded", **{**said, "data": other})


def test_what_concerns_a_run_has_its_trace_id() -> None:
    assert line("run started", run_id="r1").endswith(f"run_id=r1 trace_id={trace_id_of('r1')}")
    assert document("run started", run_id="r1", trace_id="of a client")["trace_id"] == "of a client"
    assert len(trace_id_of("r1")) == 32
    assert trace_id_of("r1") != trace_id_of("r2")


def test_all_that_is_logged_within_an_attempt_has_its_ids_libraries_lines_too() -> None:
    with attempt_logs("r1", "a b", 2):
        within = document("connected", name="paramiko.transport")
        assert within.items() >= (RUN | {"trace_id": trace_id_of("r1")}).items()
        assert 'run_id=r1 step="a b" attempt=2 trace_id=' in line("connected")
        assert document("read", run_id="r1", step="other")["step"] == "other"
        # Of another run the attempt is none.
        assert "attempt" not in document("read", run_id="r2")
    assert "run_id" not in document("connected")


def test_attempts_on_threads_beside_each_other_keep_their_ids() -> None:
    found, meet = {}, threading.Barrier(2)

    def attempt(run_id: str) -> None:
        with attempt_logs(run_id, "a", 1):
            meet.wait()
            found[run_id] = document("x")["run_id"]
            meet.wait()

    threads = [threading.Thread(target=attempt, args=(run_id,)) for run_id in ("r1", "r2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"r1": "r1", "r2": "r2"}


def test_a_message_cannot_fake_a_second_line() -> None:
    assert "\n" not in line("first\n2026-01-01 error: second", run_id="a\nb")
    assert "\n" not in JsonFormatter().format(record("first\nsecond", run_id="a\nb"))


def test_secrets_are_taken_out_by_their_form() -> None:
    assert "hunter22" not in line("cannot reach redis://:hunter22@h/0", url="postgresql://app:hunter22@h/db")
    found = document('said "token": "hunter22"', url="postgresql://app:hunter22@h/db", api_key="hunter22")
    assert "hunter22" not in json.dumps(found)
    assert found["level"] == "info", "the mask takes no more than the secret"


def test_secrets_that_an_attempt_was_given_are_taken_out_whoever_logs_them() -> None:
    redactor = LoggedRedactor()
    redactor.add(SECRET)
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.extend([line(f"sent {SECRET}"), str(document(f"sent {SECRET}"))]))
    thread.start()
    thread.join()
    assert len(said) == 2
    assert SECRET not in "".join(said)
    assert SECRET not in redactor.text(SECRET)


def test_only_so_many_are_remembered_and_those_of_the_process_always() -> None:
    configured(own=[SECRET])
    redactor = LoggedRedactor()
    for number in range(logs.MOST_SECRETS + 1):
        redactor.add(f"value-number-{number:02}")
        redactor.add("used all the time")
    assert "value-number-00" in line("value-number-00")
    shown = line(f"{SECRET} value-number-{logs.MOST_SECRETS} used all the time")
    assert shown.endswith("[redacted] [redacted] [redacted]")


def test_a_traceback_is_shown_without_secrets() -> None:
    try:
        raise ValueError("postgresql://app:hunter22@h/db")
    except ValueError as error:
        extra = {"exc_info": (ValueError, error, error.__traceback__)}
        text, found = line("failed", **extra), document("failed", **extra)
    for shown in (text, found["exception"]):
        assert "Traceback" in shown
        assert "ValueError: postgresql://app:[redacted]@h/db" in shown


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which is left as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def configured(own: list[str]) -> None:
    logs._KNOWN.add_own(own)


def test_libraries_that_bring_their_own_handlers_write_here_as_well(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, stubborn = io.StringIO(), io.StringIO()
    gunicorn = logging.getLogger("gunicorn.error")
    gunicorn.addHandler(logging.StreamHandler(stubborn))
    gunicorn.propagate = False
    monkeypatch.setattr("sys.stderr", written)
    configure_logs("info", "json", secrets=[SECRET])
    gunicorn.warning("Invalid request with %s", SECRET)
    logging.getLogger("celery.worker").debug("too small")
    assert stubborn.getvalue() == ""
    (only,) = written.getvalue().splitlines()
    assert json.loads(only)["message"] == "Invalid request with [redacted]"
