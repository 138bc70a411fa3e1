"""References such as `{{ steps.scan.result.files }}` in parameters, resolved without a template engine.

A reference is a dotted path of plain words. It can start at `params`, `run` or `steps.<key>.result|status`. Text that
must hold a literal `{{` comes from a run parameter: what a reference brings in is never scanned again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestration.errors import InvalidWorkflow, PerdureError, TooLarge
from schemas.json import Json

MAX_DEPTH = 32
MAX_REFERENCES = 1000
MAX_PATH_CHARS = 300
MAX_RESOLVED_BYTES = 256 * 1024

_OPENING = "{{"
_SLOT = re.compile(r"\{\{[ \t]*([A-Za-z0-9_.\-]{1,300})[ \t]*\}\}")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_FORMS = "params.<name>, steps.<key>.result[.<path>], steps.<key>.status or run.<name>"
_SECRET_FIELDS = frozenset({"secret", "prefix"})


class InvalidReference(InvalidWorkflow):
    """A `{{` is not followed by a well-formed reference, or a reference stands where none may."""


class UnresolvedReference(PerdureError):
    """A reference leads to nothing. Permanent: the results it reads do not change by trying again."""

    code = "unresolved_reference"

    def __init__(self, path: str, message: str, *, where: str | None = None) -> None:
        super().__init__(message, where=where, mend="Check the path against the results of the steps it names.")
        self.path = path


@dataclass(frozen=True)
class Reference:
    """A parsed reference.

    `step_key` is set when `root` is `steps`. `path` is what follows the root and the step's key, so that
    `steps.scan.result.files.0` has the path `("result", "files", "0")`.
    """

    root: str
    step_key: str | None
    path: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.root, *((self.step_key,) if self.step_key else ()), *self.path))


def parse_reference(text: str, *, where: str | None = None) -> Reference:
    """Read a dotted path such as `steps.scan.result.files`.

    Raises: InvalidReference saying what is wrong with it.
    """
    words = text.split(".")
    if len(text) > MAX_PATH_CHARS or len(words) > MAX_DEPTH:
        raise InvalidReference(f"the reference {text[:40]!r}... is too long", where=where)
    if not all(_WORD.fullmatch(word) for word in words):
        raise InvalidReference(f"{text!r} is not a dotted path of plain words", where=where, mend=f"Use {_FORMS}.")
    match words:
        case ["params", *path]:
            return Reference("params", None, tuple(path))
        case ["run", _, *_]:
            return Reference("run", None, tuple(words[1:]))
        case ["steps", key, "status"]:
            return Reference("steps", key, ("status",))
        case ["steps", key, "result", *path]:
            return Reference("steps", key, ("result", *path))
    raise InvalidReference(f"{text!r} does not name a value", where=where, mend=f"Use {_FORMS}.")


def find_references(value: Json, *, where: str = "") -> list[Reference]:
    """All references in `value`, in order. `where` is the JSON pointer of `value` in what the caller was sent.

    Raises: InvalidReference with the place, on a malformed `{{`, too deep a value, or too many references.
    """
    found: list[Reference] = []
    for pointer, text, names_secret in _strings(value, where):
        for part in _split(text, pointer):
            if isinstance(part, Reference):
                if names_secret:
                    raise InvalidReference("a reference may not name a secret", where=pointer, mend=_NAME_SECRETS)
                found.append(part)
                if len(found) > MAX_REFERENCES:
                    raise InvalidReference(f"more than {MAX_REFERENCES} references", where=pointer)
    return found


def referenced_steps(value: Json) -> set[str]:
    """Keys of the steps whose result or status `value` reads."""
    return {reference.step_key for reference in find_references(value) if reference.step_key is not None}


def resolve(value: Json, scope: Mapping[str, Json], *, where: str = "") -> Json:
    """`value` with every reference replaced by what it names in `scope` (`params`, `steps`, `run`).

    Alone in a string a reference keeps the type of its value. Inside a longer string it becomes text: JSON for maps
    and lists, nothing for null. What comes from the scope is shared with it, not copied.
    Raises: UnresolvedReference, InvalidReference, and TooLarge when the values brought in exceed 256 KiB.
    """
    find_references(value, where=where)
    return _Resolver(scope).resolve(value, where)


def look_up(reference: Reference, scope: Mapping[str, Json], *, where: str | None = None) -> Json:
    """What a reference names in `scope`.

    A step that ended without a result (skipped, or failed and passed over) reads null, and so does every path below it.
    Raises: UnresolvedReference.
    """
    value: Json = scope.get(reference.root)
    walked = reference.root
    if reference.step_key is not None:
        step = value.get(reference.step_key) if isinstance(value, Mapping) else None
        if not isinstance(step, Mapping):
            raise UnresolvedReference(str(reference), f"no step {reference.step_key!r} can be read here", where=where)
        if (
            reference.path[0] == "result"
            and step.get("result") is None
            and step.get("status") not in (None, "completed")
        ):
            return None
        value, walked = step, f"steps.{reference.step_key}"
    for word in reference.path:
        value = _descend(value, word, reference, walked, where)
        walked = f"{walked}.{word}"
    return value


def as_text(value: Json) -> str:
    """How a value reads inside a longer string."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_NAME_SECRETS = "Write the secret's name in the workflow itself."


class _Resolver:
    """One pass over a value: what was read once is kept, and what is brought in is counted."""

    def __init__(self, scope: Mapping[str, Json]) -> None:
        self.scope = scope
        self.known: dict[Reference, tuple[Json, str, int]] = {}
        self.size = 0

    def resolve(self, value: Json, where: str) -> Json:
        match value:
            case str():
                return self.resolve_text(value, where)
            case Mapping():
                return {key: self.resolve(inner, f"{where}/{_escape(str(key))}") for key, inner in value.items()}
            case list() | tuple():
                return [self.resolve(inner, f"{where}/{index}") for index, inner in enumerate(value)]
            case _:
                return value

    def resolve_text(self, text: str, where: str) -> Json:
        if _OPENING not in text:
            return text
        parts = _split(text, where)
        meant = [part for part in parts if isinstance(part, Reference) or part.strip()]
        if len(meant) == 1 and isinstance(meant[0], Reference):
            value = self.read(meant[0], where)[0]
            _refuse_secret_names(value, where)
            return value
        return "".join(part if isinstance(part, str) else self.read(part, where)[1] for part in parts)

    def read(self, reference: Reference, where: str) -> tuple[Json, str]:
        if reference not in self.known:
            value = look_up(reference, self.scope, where=where)
            text = as_text(value)
            self.known[reference] = value, text, len(text.encode("utf-8", "replace"))
        value, text, size = self.known[reference]
        self.size += size
        if self.size > MAX_RESOLVED_BYTES:
            raise TooLarge(
                f"the values brought in by references exceed {MAX_RESOLVED_BYTES // 1024} KiB",
                where=where,
                mend="Refer to the parts that are needed, or hand over a file's name.",
            )
        return value, text


def _descend(value: Json, word: str, reference: Reference, walked: str, where: str | None) -> Json:
    if isinstance(value, Mapping):
        if word in value:
            return value[word]
        reason = f"{walked} has no {word!r}"
    elif isinstance(value, list | tuple):
        if word.isdecimal() and int(word) < len(value):
            return value[int(word)]
        reason = f"{walked} is a list of {len(value)}; {word!r} is not in it"
    else:
        reason = f"{walked} is {_kind(value)}; it has no {word!r}"
    raise UnresolvedReference(str(reference), f"{{{{ {reference} }}}}: {reason}", where=where)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a text"
    return "a number"


def _split(text: str, where: str) -> list[str | Reference]:
    """The text as literal pieces and references, in order."""
    parts: list[str | Reference] = []
    done = 0
    start = text.find(_OPENING)
    while start >= 0:
        slot = _SLOT.match(text, start)
        if slot is None:
            raise InvalidReference(
                f"malformed reference at character {start + 1}: {text[start : start + 40]!r}",
                where=where,
                mend=f"Write {{{{ path }}}} with {_FORMS}; a literal {{{{ comes from a run parameter.",
            )
        if start > done:
            parts.append(text[done:start])
        parts.append(parse_reference(slot[1], where=where))
        done = slot.end()
        start = text.find(_OPENING, done)
    if done < len(text):
        parts.append(text[done:])
    return parts


def _strings(value: Json, where: str, depth: int = 0, names_secret: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Every string value with its JSON pointer, and whether it names a secret. Keys are not looked at."""
    if depth > MAX_DEPTH:
        raise InvalidReference(f"nested deeper than {MAX_DEPTH} levels", where=where)
    if isinstance(value, str):
        if _OPENING in value:
            yield where, value, names_secret
    elif isinstance(value, Mapping):
        is_secret = _is_secret_name(value)
        for key, inner in value.items():
            yield from _strings(inner, f"{where}/{_escape(str(key))}", depth + 1, is_secret and key == "secret")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _strings(inner, f"{where}/{index}", depth + 1)


def _refuse_secret_names(value: Json, where: str) -> None:
    """A result must not smuggle in the name of a secret: only the workflow's author names one."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            if _is_secret_name(item):
                raise InvalidReference(
                    "a reference may not bring in the name of a secret", where=where, mend=_NAME_SECRETS
                )
            pending.extend(item.values())
        elif isinstance(item, list | tuple):
            pending.extend(item)


def _is_secret_name(value: Mapping[str, Json]) -> bool:
    return "secret" in value and value.keys() <= _SECRET_FIELDS


def _escape(key: str) -> str:
    """A key as a JSON pointer writes it. Source: RFC 6901, section 3."""
    return key.replace("~", "~0").replace("/", "~1")
