"""What a line of the log looks like."""

from __future__ import annotations

import logging

from logs import FieldFormatter


def line(message: str, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "perdure.x", "levelname": "INFO", "msg": message, **extra})
    return FieldFormatter().format(record)


def test_ids_are_fields() -> None:
    assert line("step claimed", run_id="r1", step="a b").endswith('info perdure.x: step claimed run_id=r1 step="a b"')


def test_a_message_cannot_fake_a_second_line() -> None:
    assert "\n" not in line("first\n2026-01-01 error: second", run_id="a\nb")


def test_secrets_are_taken_out() -> None:
    assert "hunter22" not in line("cannot reach redis://:hunter22@h/0", url="postgresql://app:hunter22@h/db")
