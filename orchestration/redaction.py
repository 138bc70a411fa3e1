"""Takes secrets out of text, JSON and streams: known values in their usual encodings, and what looks like a secret."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from orchestration.redaction_patterns import OPEN_TAILS, SECRET_KEY, VALUES, OpenTail
from schemas.json import Json

MASK = "[redacted]"
MIN_SECRET_CHARS = 4

_MIN_BASE64_CHARS = 6
_MIN_LINE_CHARS = 20
_MAX_JSON_DEPTH = 200
# A mask must not join with its surroundings into a secret, see `_safe_mask`.
_OTHER_MASKS = ("***", "█", "▒", "¦", "§")

Span = tuple[int, int]


class Redactor:
    """Knows the secrets of one attempt and takes them out of whatever leaves it.

    Values of fewer than 4 characters are not looked for: they would blacken ordinary text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        self.mask = MASK
        for secret in secrets:
            self.add(secret)

    def add(self, value: str) -> None:
        """Redact this value from now on, also Base64, URL, JSON and shell encoded, and its long lines on their own."""
        forms = {form for form in _forms(value) if len(form) >= MIN_SECRET_CHARS}
        # Replaced as a whole, so that other threads see the old tuple or the new one.
        self._forms = tuple(sorted({*self._forms, *forms}, key=lambda form: (-len(form), form)))
        self.mask = _safe_mask(self._forms)

    @property
    def forms(self) -> tuple[str, ...]:
        """What is looked for, longest first."""
        return self._forms

    def text(self, text: str, *, guess: bool = True) -> str:
        """The text without secrets; without those that only look like some unless `guess`."""
        pieces: list[str] = []
        done = 0
        for start, end in self.spans(text, guess=guess):
            pieces += (text[done:start], self.mask)
            done = end
        return "".join((*pieces, text[done:])) if pieces else text

    def json(self, value: Json) -> Json:
        """The value without secrets; keys are kept unless they hold a known secret.

        Text and numbers under keys such as `password` or `api_key` go as a whole. `{"secret": "name"}` names a secret
        and stays.
        """
        return self._json(value, hide=False, depth=0)

    def prose(self, value: Json) -> Json:
        """The value without known secrets. What only looks like one stays, as in `password = input()` of an example."""
        match value:
            case str():
                return self.text(value, guess=False)
            case Mapping():
                return {self._key(key): self.prose(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.prose(inner) for inner in value]
        return self.mask if isinstance(value, int | float) and self._holds_known(str(value)) else value

    def stream(self, *, guess: bool = True) -> RedactingStream:
        """A redactor for text that arrives in pieces."""
        return RedactingStream(self, guess=guess)

    def spans(self, text: str, *, guess: bool = True) -> list[Span]:
        """Where secrets are, in order, overlapping and touching ones joined."""
        found: list[Span] = []
        for form in self._forms:
            start = text.find(form)
            while start >= 0:
                found.append((start, start + len(form)))
                start = text.find(form, start + len(form))
        for pattern in VALUES if guess else ():
            for match in pattern.finditer(text):
                span = match.span(match.lastgroup or 0)
                if span[0] < span[1]:
                    found.append(span)
        return _joined(found)

    def _json(self, value: Json, *, hide: bool, depth: int) -> Json:
        if depth > _MAX_JSON_DEPTH:
            return self.mask
        match value:
            case None | bool():
                return value
            case str():
                return self.mask if hide and value else self.text(value)
            case int() | float():
                return self.mask if hide or self._holds_known(str(value)) else value
            case Mapping():
                if _names_secret(value):
                    return {key: self.text(inner) for key, inner in value.items()}
                return {
                    self._key(key): self._json(inner, hide=hide or _is_secret_key(key), depth=depth + 1)
                    for key, inner in value.items()
                }
            case list() | tuple():
                return [self._json(inner, hide=hide, depth=depth + 1) for inner in value]
        return value

    def _key(self, key: Json) -> Json:
        return self.text(key) if isinstance(key, str) and self._holds_known(key) else key

    def _holds_known(self, text: str) -> bool:
        return any(form in text for form in self._forms)


class RedactingStream:
    """Redacts text that arrives in pieces, wherever the pieces break.

    It keeps back only what could be the beginning of a secret, and remembers some of what it gave out, so that
    `password=` in one piece still hides the value in the next.
    """

    def __init__(self, redactor: Redactor, *, guess: bool = True) -> None:
        self._redactor = redactor
        self._guess = guess
        self._raw = ""
        self._done = 0
        self._masked = False

    def feed(self, chunk: str) -> str:
        """What can be given out after this piece."""
        self._raw += chunk
        spans = self._redactor.spans(self._raw, guess=self._guess)
        given = self._give_out(spans, self._limit(spans))
        self._forget(spans)
        return given

    def flush(self) -> str:
        """What was kept back. The stream starts anew afterwards."""
        given = self._give_out(self._redactor.spans(self._raw, guess=self._guess), len(self._raw))
        self._raw, self._done, self._masked = "", 0, False
        return given

    def _give_out(self, spans: list[Span], limit: int) -> str:
        pieces: list[str] = []
        for start, end in spans:
            if end <= self._done:
                continue
            if start >= limit:
                break
            if start > self._done:
                pieces.append(self._raw[self._done : start])
                self._masked = False
            if not self._masked:
                pieces.append(self._redactor.mask)
            self._done, self._masked = end, True
        if self._done < limit:
            pieces.append(self._raw[self._done : limit])
            self._done, self._masked = limit, False
        return "".join(pieces)

    def _limit(self, spans: list[Span]) -> int:
        """How far the text can be given out: up to what could be the beginning of a secret."""
        limit = len(self._raw)
        for form in self._redactor.forms:
            limit = min(limit, self._open_form(form, spans, limit))
        if not self._guess:
            return max(limit, self._done)
        # A tail's context may lie in what was given out already.
        word = max(map(self._raw.rfind, " \n\t")) + 1
        for tail in OPEN_TAILS:
            start = max(0, len(self._raw) - tail.reach, word if tail.one_word else 0)
            limit = min(limit, self._open_tail(tail, spans, start))
        return max(limit, self._done)

    def _open_tail(self, tail: OpenTail, spans: list[Span], start: int) -> int:
        match = tail.pattern.search(self._raw, start)
        while match is not None:
            held = match.start("held")
            beyond = held if tail.over_value and _starts(spans, held) else _beyond(spans, held)
            if beyond == held:
                return held
            match = tail.pattern.search(self._raw, beyond)
        return len(self._raw)

    def _open_form(self, form: str, spans: list[Span], limit: int) -> int:
        """The first place from which all that follows is the beginning of `form`, unless a mask covers it already."""
        raw = self._raw
        start = raw.find(form[0], max(self._done, len(raw) - len(form) + 1))
        while 0 <= start < limit:
            following = start + 1
            if form.startswith(raw[start:]):
                following = _beyond(spans, start)
                if following == start:
                    return start
            start = raw.find(form[0], following)
        return limit

    def _forget(self, spans: list[Span]) -> None:
        """Drop what is no longer needed as context."""
        longest = max(64, len(self._redactor.forms[0]) if self._redactor.forms else 0)
        if self._masked and self._done == len(self._raw) and spans:
            # A value that may go on keeps its key and its beginning; the middle is not needed.
            start = spans[-1][0]
            self._raw = self._raw[: start + longest]
            self._done = len(self._raw)
        cut = max(0, self._done - longest - 200)
        self._raw = self._raw[cut:]
        self._done -= cut


def _forms(secret: str) -> Iterator[str]:
    """The secret as it may appear in output."""
    yield secret
    stripped = secret.strip()
    yield stripped
    yield from (line for line in stripped.splitlines() if len(line) >= _MIN_LINE_CHARS and not line.startswith("-----"))
    yield json.dumps(stripped)[1:-1]
    yield json.dumps(stripped, ensure_ascii=False)[1:-1]
    yield shlex.quote(stripped).strip("'")
    data = stripped.encode("utf-8", "surrogatepass")
    for quoted in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda code: code[0].lower(), quoted)
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode("ascii").rstrip("=")
        # Inside longer Base64 a value may begin at three places; looked for are the characters it alone decides.
        for offset in range(3):
            encoded = encode(b"\0" * offset + data).decode("ascii")
            core = encoded[(offset * 8 + 5) // 6 : (offset + len(data)) * 8 // 6]
            if len(core) >= _MIN_BASE64_CHARS:
                yield core


def _safe_mask(forms: tuple[str, ...]) -> str:
    """A mask that no secret overlaps: else `]abc` would appear again where `]abc` is followed by `abc`."""
    for mask in (MASK, *_OTHER_MASKS):
        if not any(_overlaps(mask, form) for form in forms):
            return mask
    used = set("".join(forms))
    return next(chr(code) for code in range(0x2500, 0x110000) if chr(code) not in used)


def _overlaps(mask: str, form: str) -> bool:
    if mask in form or form in mask:
        return True
    sizes = range(1, min(len(mask), len(form)) + 1)
    return any(form.startswith(mask[-size:]) or form.endswith(mask[:size]) for size in sizes)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _beyond(spans: list[Span], position: int) -> int:
    """`position`, or the end of the span that covers it."""
    return next((end for start, end in reversed(spans) if start <= position < end), position)


def _starts(spans: list[Span], position: int) -> bool:
    return any(start == position for start, _ in spans)


def _is_secret_key(key: Json) -> bool:
    return isinstance(key, str) and SECRET_KEY.search(key) is not None


def _names_secret(value: Mapping[str, Json]) -> bool:
    """Whether this is a `SecretRef`, see actions/declaration.py; `prefix` goes before the value in a header."""
    return (
        "secret" in value
        and value.keys() <= {"secret", "prefix"}
        and all(isinstance(inner, str) for inner in value.values())
        and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", value["secret"]) is not None
    )
