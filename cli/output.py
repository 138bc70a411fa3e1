"""What the commands print: JSON, tables, problems; and the exit codes they end with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum

from rich.text import Text

from cli.client import Refused
from cli.render import make_console
from cli.safe_text import plain
from schemas.json import Json


class Exit(IntEnum):
    """How a command ends; scripts may count on these."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


def print_json(value: Json) -> None:
    """The value for another program. ASCII only: a terminal finds nothing in it to obey."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def print_line(text: str) -> None:
    """One line of text, made safe."""
    sys.stdout.write(plain(text) + "\n")
    sys.stdout.flush()  # in a pipe too it stands before what comes later, errors among it


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """A table without rules. In a terminal lines that are too long are cut; what is piped is whole."""
    console = make_console()
    lines = [[Text(head, style="bright_black") for head in heads]]
    lines += [[cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        for cell, width in zip(line[:-1], widths, strict=False):
            cell.pad_right(width + 2 - cell.cell_len)
        whole = not console.is_terminal
        console.print(Text.assemble(*line), no_wrap=True, overflow="ignore" if whole else "ellipsis", soft_wrap=whole)


def print_problem(refused: Refused) -> None:
    """What was refused, where and how to mend it, on the error output."""
    problem = refused.problem
    print_error(str(refused))
    faults = problem.get("errors") or [problem]
    for fault in faults[:10]:
        if len(faults) > 1:
            _error_line("", fault.get("detail"))
        _error_line("where", fault.get("where"))
        _error_line("mend", fault.get("mend"))


def print_error(text: str) -> None:
    """One line on the error output."""
    sys.stderr.write(f"error: {plain(text)}\n")


def _error_line(name: str, text: Json) -> None:
    if text:
        sys.stderr.write(f"  {name + ': ' if name else ''}{plain(text)}\n")
