"""Nothing a log or a label holds makes the terminal do more than show colours."""

from __future__ import annotations

import re

import pytest

from cli.safe_text import SafeLog, plain

HOSTILE = [
    "\x1b]0;owned\x07",  # the window's title
    "\x1b]52;c;c2VjcmV0\x1b\\",  # the clipboard
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b[1A\x1b[2K",  # overwrite the line before
    "\x1b[?1049h",
    "\x1bP$q\x1b\\",
    "\x1bc",
    "\x1b(0",
    "\x9b2J",
    "\x9d0;t\x9c",
    "\x1b[6n",
    "\x1b[8mhidden",
    "\x07\x08\x00\x7f",
    "\u202egnp.exe",
    "a\rb",
    "\x1b[3 q",
]
ALLOWED = re.compile(r"\x1b\[[0-9;]+m")


def shown(*pieces: str, coloured: bool = True) -> str:
    safe = SafeLog(coloured=coloured)
    return "".join(safe.feed(piece) for piece in pieces) + safe.end()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_only_colours_and_line_ends_pass_however_the_log_is_cut(text: str, size: int) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    rest = ALLOWED.sub("", shown(*pieces, "end\n"))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", rest)
    assert rest.endswith("end\n")


@pytest.mark.parametrize("code", ["1", "31", "38;5;208", "48;2;1;2;3", "0", "7", "97;41"])
def test_colours_pass_and_are_switched_off_at_the_end(code: str) -> None:
    text = shown(f"\x1b[{code}mx")
    assert text.startswith(f"\x1b[{code}mx")
    assert text.endswith("x" if code == "0" else "\x1b[0m")


def test_a_code_that_hides_text_is_taken_out_of_a_sequence() -> None:
    assert shown("\x1b[8;31mx") == "\x1b[31mx\x1b[0m"


def test_colour_cut_in_two_pieces_is_whole() -> None:
    assert shown("a\x1b[3", "1mb") == "a\x1b[31mb\x1b[0m"


def test_without_a_terminal_there_are_no_colours() -> None:
    assert shown("\x1b[31mred\x1b[0m\n", coloured=False) == "red\n"


def test_line_ends_of_all_kinds_become_one_kind() -> None:
    assert shown("a\r\nb\r", "\nc\rd") == "a\nb\nc\nd"


def test_a_sequence_without_an_end_does_not_hold_the_log_back() -> None:
    safe = SafeLog(coloured=True)
    assert "x" * 100 in safe.feed("\x1b]0;" + "x" * 1000)
    assert safe.feed("still here\n").endswith("still here\n")


def test_a_long_log_takes_time_in_proportion_to_its_length() -> None:
    text = "\x1b]0;" * 20_000 + "\x1b[" * 20_000
    assert "\x1b" not in shown(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_of_ours_holds_no_controls_at_all(text: str) -> None:
    assert plain(f"a{text}b\nc").isprintable()


def test_plain_text_is_one_line() -> None:
    assert plain("  a\n\tb  c ") == "a b c"
