"""Values on their way into a remote shell: what is let in, and how each becomes exactly one word."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field


def _no_option(text: str) -> str:
    if text.startswith("-"):
        raise ValueError("must not begin with '-', it could be read as an option")
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("must not hold control characters or line breaks")
    return text


def _path(text: str) -> str:
    _no_option(text)
    if text.startswith("~") and text != "~" and not text.startswith("~/"):
        raise ValueError("use '~/...' for the home of the user who signs in; '~name' is not supported")
    return text


def _program(text: str) -> str:
    return _no_option(text)


def _word(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold NUL characters")
    return text


def _repository_ref(text: str) -> str:
    if ".." in text or text.endswith((".lock", "/")):
        raise ValueError("is not a branch, tag or commit")
    return text


Plain = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_no_option)]
"""One word that cannot be read as an option."""

RemotePath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_path)]
"""A path on the host: absolute, `~/...`, or relative to the home directory."""

Program = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_program)]
"""A program's name or path."""

Word = Annotated[str, Field(max_length=65_536), AfterValidator(_word)]
"""One word of a command; may begin with '-'."""

Argv = Annotated[list[Word], Field(min_length=1, max_length=1000)]
"""A command as a list of words; no shell looks into them."""

GitRef = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$", max_length=200), AfterValidator(_repository_ref)
]
"""A branch, tag or commit."""

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]


def quote_path(path: str) -> str:
    """A remote path as one shell word, absolute on the host; `~` and relative paths start at `$HOME`."""
    if path in ("~", "~/"):
        return '"$HOME"'
    if path.startswith("/"):
        return shlex.quote(path)
    return '"$HOME"/' + shlex.quote(path.removeprefix("~/"))


def quote_program(program: str) -> str:
    """A program as one shell word: a bare name is looked up in PATH, anything with '/' is a path as above."""
    return quote_path(program) if "/" in program else shlex.quote(program)


def quote_words(words: Iterable[str]) -> str:
    """Each value as one shell word."""
    return " ".join(shlex.quote(word) for word in words)


def is_environment_name(name: str) -> bool:
    """Whether `name` may be the name of an environment variable."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
