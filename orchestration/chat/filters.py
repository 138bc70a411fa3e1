"""Chat filters: what looks at, and may change, a request before it is sent and an answer while and after it is written.

A filter is a class with any of `inlet(context)`, `stream(text)`, `flush()` and `outlet(text)`, of which an object is
made for each generation, or a function for one of these stages. `docs/chat-filters.md` is for those who write them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from orchestration.actions.outcomes import Permanent
from orchestration.errors import InvalidChat
from schemas.chat import FILTER_PATTERN, MAX_FILTERS, ChatContext
from schemas.json import JsonObject

Stage = Literal["inlet", "stream", "flush", "outlet"]
OnFailure = Literal["skip", "fail"]
STAGES: tuple[Stage, ...] = ("inlet", "stream", "flush", "outlet")

Made = TypeVar("Made", bound=Callable[..., Any])
Options = Mapping[str, Mapping[str, Any]]

_filters: dict[str, FilterDeclaration] = {}


@dataclass(frozen=True)
class FilterDeclaration:
    """A filter as registered. `make(options)` answers the object of one generation.

    resumable: an answer that lost its worker may be taken up in its middle by a new object of the filter, and `outlet`
    may be given text that it has seen before. Filters that only have an inlet always are.
    """

    name: str
    make: Callable[[Mapping[str, Any]], object]
    stages: frozenset[Stage]
    on_failure: OnFailure
    resumable: bool
    summary: str
    place: tuple[str, str]


def chat_filter(
    name: str, *, on_failure: OnFailure = "skip", at: Stage | None = None, resumable: bool = False
) -> Callable[[Made], Made]:
    """Register a class, or with `at` a function for that one stage, as a filter.

    A class whose `__init__` takes an argument is given the filter's options of the setting PERDURE_CHAT_FILTER_OPTIONS.
    on_failure: whether an answer goes on without a filter that raised, or fails. Raises: ValueError for a malformed or
    taken name, or when there is no stage.
    """
    if not re.fullmatch(FILTER_PATTERN, name):
        raise ValueError(f"the filter {name!r}: use lower-case words joined by dots, such as 'house.style'")

    def register(made: Made) -> Made:
        place = (made.__module__, made.__qualname__)
        known = _filters.get(name)
        if known is not None and known.place != place:
            raise ValueError(f"the filter {name!r} is already declared in {known.place[0]}")
        make, stages = _one_stage(made, at) if at is not None else _of_class(made)
        if not stages:
            raise ValueError(
                f"the filter {name!r} has none of {', '.join(STAGES)}; name the stage of a function by at="
            )
        _filters[name] = FilterDeclaration(
            name=name,
            make=make,
            stages=stages,
            on_failure=on_failure,
            resumable=resumable or stages == {"inlet"},
            summary=(inspect.getdoc(made) or "").partition("\n")[0],
            place=place,
        )
        return made

    return register


def known_filters() -> dict[str, FilterDeclaration]:
    """The filters that this process knows, by name."""
    return dict(sorted(_filters.items()))


def check_filters(names: Iterable[str]) -> None:
    """Raises: InvalidChat, naming the first that is not known, or that is named twice."""
    seen: set[str] = set()
    for name in names:
        if name not in _filters:
            listed = ", ".join(known_filters()) or "none"
            raise InvalidChat(f"there is no filter {name!r}", where="/filters", mend=f"name some of: {listed}")
        if name in seen:
            raise InvalidChat(f"the filter {name!r} is named twice", where="/filters", mend="name it once")
        seen.add(name)


def passed_filters(always: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Those that every answer passes, then those asked for. Raises: InvalidChat for one not known, or too many."""
    filters = (*always, *(name for name in asked if name not in always))
    if len(filters) > MAX_FILTERS:
        raise InvalidChat(
            f"{len(filters)} filters, {len(always)} of which every answer passes",
            where="/filters",
            mend=f"name at most {MAX_FILTERS - len(always)}",
        )
    check_filters(filters)
    return filters


@dataclass
class _Active:
    """A filter in one generation; `instance` None: it could not be made, or has failed and is passed over."""

    declared: FilterDeclaration
    instance: object | None

    def has(self, stage: Stage) -> bool:
        return self.instance is not None and stage in self.declared.stages


@dataclass
class FilterChain:
    """The filters of one generation, in order. `say` takes a line for the step's log."""

    active: list[_Active]
    say: Callable[[str], None]
    notes: list[JsonObject] = field(default_factory=list)

    @classmethod
    def of(cls, names: Sequence[str], options: Options, say: Callable[[str], None]) -> FilterChain:
        """The chain of these filters. Raises: Permanent when one is not known, or cannot be made and must not fail."""
        chain = cls([], say)
        for name in names:
            declared = _filters.get(name)
            if declared is None:
                raise Permanent(
                    f"this worker knows no filter {name!r}; start it with the module that declares it",
                    code="chat.unknown_filter",
                )
            one = _Active(declared, None)
            chain.active.append(one)
            try:
                one.instance = declared.make(options.get(name, {}))
            except Exception as error:  # whatever the code of a filter raises, its policy decides
                chain._failed(one, "making", error)
        return chain

    @property
    def is_resumable(self) -> bool:
        """Whether an answer that was begun elsewhere may be taken up in its middle."""
        return all(one.declared.resumable for one in self.active)

    @property
    def has_outlet(self) -> bool:
        """Whether the answer may still change once it is whole."""
        return any(one.has("outlet") for one in self.active)

    def inlet(self, context: ChatContext) -> ChatContext:
        """The request as the model is told it. Raises: Permanent when a filter failed that must not."""
        for one in self.active:
            context = self._call(one, "inlet", context, ChatContext)
        return context

    def stream(self, text: str) -> str:
        """What of a piece, and of what was held back before it, may be shown by now. Raises as `inlet`."""
        return self._through(self.active, text)

    def flush(self) -> str:
        """What was held back. Raises as `inlet`."""
        text = ""
        for place, one in enumerate(self.active):
            if one.has("flush"):
                text += self._through(self.active[place + 1 :], self._call(one, "flush", None, str))
        return text

    def outlet(self, text: str) -> str:
        """The answer as it is kept. Raises as `inlet`."""
        for one in self.active:
            text = self._call(one, "outlet", text, str)
        return text

    def _through(self, filters: Sequence[_Active], text: str) -> str:
        for one in filters:
            if not text:
                break
            text = self._call(one, "stream", text, str)
        return text

    def _call(self, one: _Active, stage: Stage, value: Any, kind: type) -> Any:
        if not one.has(stage):
            return value
        method = getattr(one.instance, stage)
        try:
            answer = method() if stage == "flush" else method(value)
            if not isinstance(answer, kind):
                raise TypeError(f"{stage} answered {type(answer).__name__}, not {kind.__name__}")
            return answer
        except Exception as error:  # as above
            self._failed(one, stage, error)
            return "" if stage == "flush" else value

    def _failed(self, one: _Active, stage: str, error: Exception) -> None:
        name = one.declared.name
        # Its words may quote what people wrote, or a secret: they go into the log, which is redacted, and nowhere else.
        self.say(f"filter {name} failed at {stage}: {type(error).__name__}: {error}\n")
        if one.declared.on_failure == "fail":
            raise Permanent(
                f"the filter {name!r} failed, and no answer may do without it; the step's log says why",
                code="chat.filter_failed",
                details={"filter": name, "stage": stage},
            ) from error
        one.instance = None
        self.notes.append({"filter": name, "stage": stage, "error": type(error).__name__, "passed_over": True})


def _of_class(made: Callable[..., Any]) -> tuple[Callable[[Mapping[str, Any]], object], frozenset[Stage]]:
    stages = frozenset(stage for stage in STAGES if callable(getattr(made, stage, None)))
    takes_options = bool(inspect.signature(made).parameters) if stages else False
    return (made if takes_options else lambda _options: made()), stages


def _one_stage(
    function: Callable[..., Any], at: Stage
) -> tuple[Callable[[Mapping[str, Any]], object], frozenset[Stage]]:
    holder = type(function.__name__, (), {at: staticmethod(function)})
    return lambda _options: holder(), frozenset({at})
