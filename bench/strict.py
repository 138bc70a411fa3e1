"""What a missed target means for the exit status: the same for every benchmark."""

from __future__ import annotations

import argparse

EXIT_FAILED = 1
MISSED_TARGETS = "A missed target is said and is no failure, since machines differ; with --strict it is one: status 1."


def add_strict(told: argparse.ArgumentParser) -> None:
    """Take `--strict`."""
    told.add_argument("--strict", action="store_true", help="end with status 1 when a target is missed")


def exit_status(*, failed: bool = False, missed: bool, strict: bool) -> int:
    """The exit status of what was measured to the end. `failed`: something could not be measured."""
    return EXIT_FAILED if failed or (missed and strict) else 0
