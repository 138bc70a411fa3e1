"""The log files of the supervised processes: written by themselves, shown in the terminal, kept from growing.

The processes write straight to their files, not through the supervisor: a terminal that is held up (Ctrl-S) or a
supervisor that is busy or dead never makes a worker wait for its log line to be read.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import BinaryIO, TextIO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 95)
MAX_BYTES = 20 * 1024**2
LONGEST_LINE = 64 * 1024

# What a process writes may hold text of remote hosts: only colour codes go through to the terminal.
_COLOUR_CODE = r"\x1b\[[0-9;]*m"
_UNSAFE = re.compile(rf"(?!{_COLOUR_CODE})[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class ProcessLogs:
    """One file for each process in a directory, and their new lines on a terminal when there is one to write to."""

    def __init__(self, directory: Path, terminal: TextIO | None = None) -> None:
        """Keep logs in `directory`; with `terminal`, `show_new_lines()` copies them there."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self._terminal = terminal
        self._coloured = terminal is not None and terminal.isatty()
        self._tails: dict[str, _Tail] = {}
        self._width = 0

    @property
    def shown(self) -> bool:
        return self._terminal is not None

    def path(self, name: str) -> Path:
        """The log file of a process."""
        return self.directory / f"{name}.log"

    def open(self, name: str) -> BinaryIO:
        """The file a process appends to, cut back first when it has grown too long."""
        path = self.path(name)
        self._cut_back(path)
        if name not in self._tails:
            self._tails[name] = _Tail(path)
            self._width = max(self._width, len(name))
        return path.open("ab", buffering=0)

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        with self.path("supervisor").open("a") as file:
            file.write(text + "\n")
        self._write("perdure", text, colour=1)

    def show_new_lines(self) -> None:
        """Copy what the processes wrote since the last call to the terminal."""
        for index, (name, tail) in enumerate(self._tails.items()):
            for line in tail.new_lines() if self.shown else ():
                self._write(name, line, colour=COLOURS[index % len(COLOURS)])

    def cut_back(self) -> None:
        """Move what is in files that have grown too long to `NAME.log.1`."""
        for tail in self._tails.values():
            self._cut_back(tail.path)

    def last_line(self, name: str) -> str:
        """The last line a process wrote, for a message about its end."""
        try:
            with self.path(name).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - LONGEST_LINE))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return printable(lines[-1]) if lines else "it said nothing"

    def _cut_back(self, path: Path) -> None:
        if path.exists() and path.stat().st_size > MAX_BYTES:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            with path.open("r+b") as file:  # the process appends: it goes on at the new end
                file.truncate()

    def _write(self, name: str, line: str, colour: int) -> None:
        if self._terminal is None:
            return
        label = f"{name:<{self._width}} |"
        text = printable(line)
        try:
            if self._coloured:
                self._terminal.write(f"\x1b[{colour}m{label}\x1b[0m {text}\x1b[0m\n")
            else:
                self._terminal.write(f"{label} {text}\n")
            self._terminal.flush()
        except OSError:  # the terminal has gone; the files go on
            self._terminal = None


class _Tail:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def new_lines(self) -> list[str]:
        try:
            size = self.path.stat().st_size
            if size == self._offset:
                return []
            if size < self._offset:
                self._offset = 0
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(1024**2)
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace") for line in lines]


def printable(text: str) -> str:
    """The text without control characters, colour codes excepted."""
    return _UNSAFE.sub("", text.replace("\r", ""))


def terminal() -> TextIO:
    """Where `up` shows the logs."""
    return sys.stdout
