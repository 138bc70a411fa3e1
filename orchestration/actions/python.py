"""`python.call`: calls a function that was registered for it, or that a setting names."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import ActionReturn, Expand, Permanent, Result
from orchestration.actions.registry import action, registered_callable
from schemas.json import Json

MAX_LINE_CHARS = 8192


class CallParams(ActionParams):
    """Which function, with what."""

    function: str = Field(min_length=1, max_length=300, description="name given to @callable_step, or a permitted path")
    args: list[Json] = Field(default_factory=list, max_length=100)
    kwargs: dict[str, Json] = Field(default_factory=dict, max_length=100)


@action("python.call", killable=True)
def call(ctx: ActionContext, params: CallParams) -> ActionReturn:
    """Call a permitted function and answer what it returns; what it prints goes to the step's log."""
    function = _find(params.function, ctx.settings.get("python_callables") or ())
    out, err = _LogLines(ctx, "info"), _LogLines(ctx, "warning")
    # The redirection holds for the whole process: this action runs in the killable pool, one step at a time.
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            answer = function(*params.args, **params.kwargs)
        finally:
            out.end()
            err.end()
    if answer is None or isinstance(answer, dict | Result | Expand):
        return answer
    return {"result": answer}


def _find(name: str, permitted: Sequence[str]) -> Callable[..., Any]:
    registered = registered_callable(name)
    if registered is not None:
        return registered
    # Nothing is imported because a request names it: the exact path must stand in the setting.
    if name not in permitted:
        raise Permanent(f"{name!r} is neither registered with @callable_step nor in PERDURE_PYTHON_CALLABLES")
    module_name, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Permanent(f"{name!r} cannot be imported: {error}") from error
    if not callable(function):
        raise Permanent(f"{name!r} is not a function")
    return function  # type: ignore[no-any-return]


class _LogLines(io.TextIOBase):
    """A stream whose lines become the step's log."""

    def __init__(self, ctx: ActionContext, level: str) -> None:
        self._ctx = ctx
        self._level = level
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._ctx.log(lines + newline, level=self._level)
        if len(self._rest) > MAX_LINE_CHARS:
            self.end()
        return len(text)

    def end(self) -> None:
        """Write out a last line that has no end."""
        if self._rest:
            self._ctx.log(self._rest, level=self._level)
            self._rest = ""
