"""Text of others made fit for a terminal: colours may pass, nothing else that a terminal would obey."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_SEQUENCE = 256
RESET = "\x1b[0m"

# Escape sequences whole: CSI; OSC, DCS, SOS, PM and APC up to their end; any other two or three characters.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)(?P<params>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
# The beginning of one that may go on in the next piece.
_UNFINISHED = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*$|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*\x1b?$|\x1b[ -/]*$"
)
# Controls other than tab and line feed, and the marks that reverse the direction of writing.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Bold, faint, italic, underlined, reversed and their ends; not blinking, not hidden.
_PLAIN_CODES = frozenset([0, 1, 2, 3, 4, 7, 22, 23, 24, 27, *range(30, 38), 39, *range(40, 48), 49])
_BRIGHT_CODES = frozenset([*range(90, 98), *range(100, 108)])


def plain(text: object) -> str:
    """One line without escape sequences and control characters."""
    return " ".join(_CONTROLS.sub(" ", _SEQUENCE.sub("", str(text))).split())


class SafeLog:
    """Makes the pieces of one log safe; a sequence that is cut by the end of a piece is understood."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured
        self._rest = ""
        self._in_colour = False

    def feed(self, text: str) -> str:
        """What of this piece may be shown now."""
        text = self._rest + text
        cut = _UNFINISHED.search(text)
        begins = len(text) if cut is None else cut.start()
        if cut is None and text.endswith("\r"):
            begins -= 1  # the line feed that belongs to it may follow
        if len(text) - begins > LONGEST_SEQUENCE:
            begins = len(text)
        text, self._rest = text[:begins], text[begins:]
        return "".join(self._safe(text.replace("\r\n", "\n").replace("\r", "\n")))

    def end(self) -> str:
        """What is left at the end of the log: colours are switched off."""
        rest, self._rest = self._rest, ""
        # A sequence that never ended is shown without what made it one.
        shown = "\n" if rest == "\r" else _CONTROLS.sub("", rest)
        reset, self._in_colour = RESET if self._in_colour else "", False
        return shown + reset

    def _safe(self, text: str) -> Iterator[str]:
        place = 0
        for found in _SEQUENCE.finditer(text):
            yield _CONTROLS.sub("", text[place : found.start()])
            place = found.end()
            if self._coloured and found["final"] == "m" and not found["between"]:
                codes = list(_colours(found["params"]))
                if codes:
                    self._in_colour = codes[-1] != "0"
                    yield f"\x1b[{';'.join(codes)}m"
        yield _CONTROLS.sub("", text[place:])


def _colours(params: str) -> Iterator[str]:
    """The codes that set colour or weight; the others are dropped."""
    numbers = [int(word or 0) if word.isdigit() or not word else -1 for word in re.split("[;:]", params)]
    while numbers:
        code = numbers.pop(0)
        if code in (38, 48) and numbers[:1] == [5] and len(numbers) >= 2:
            yield f"{code};5;{numbers[1]}"
            del numbers[:2]
        elif code in (38, 48) and numbers[:1] == [2] and len(numbers) >= 4:
            yield ";".join(str(number) for number in (code, *numbers[:4]))
            del numbers[:4]
        elif code in _PLAIN_CODES or code in _BRIGHT_CODES:
            yield str(code)
