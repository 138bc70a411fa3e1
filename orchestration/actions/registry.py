"""The actions known to this process. Filled by importing the modules that declare them."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel

from orchestration.actions.declaration import ActionDeclaration, FlowOf, NoParams, NoticeOf, SignalForm
from orchestration.actions.outcomes import ActionReturn
from schemas.base import ACTION_PATTERN
from schemas.retry import RetryPolicy
from schemas.statuses import Role

ENTRY_POINT_GROUP = "perdure.actions"
BUNDLED = (
    "orchestration.actions.noop",
    "orchestration.actions.demo",
    "orchestration.actions.signal",
    "orchestration.actions.http",
    "orchestration.actions.shell",
    "orchestration.actions.python",
    "orchestration.actions.alerts",
    "orchestration.actions.ssh",
    "orchestration.chat.generate",
)

Function = Callable[[Any, Any], ActionReturn]
_actions: dict[str, ActionDeclaration] = {}
_callables: dict[str, Callable[..., Any]] = {}


def action(
    name: str,
    *,
    queue: str = "default",
    idempotent: bool = False,
    killable: bool = False,
    needs_host: bool = False,
    timeout_s: float = 3600.0,
    retry: RetryPolicy | None = None,
    role: Role = Role.OPERATOR,
    accepts_signal: bool = False,
    signal_form: SignalForm | None = None,
    flow: FlowOf | None = None,
    failure_notice: NoticeOf | None = None,
) -> Callable[[Function], Function]:
    """Register a function `(ctx, params) -> dict | Result | Expand | None` as an action.

    The type of `params` must be a pydantic model; it is the action's parameter schema.
    Raises: ValueError when the name is malformed or taken; TypeError when `params` has no model type.
    """
    if not re.fullmatch(ACTION_PATTERN, name):
        raise ValueError(f"action name {name!r}: use lower-case words joined by dots, such as 'ssh.test_ssh'")

    def register(function: Function) -> Function:
        known = _actions.get(name)
        if known is not None and (known.function.__module__, known.function.__qualname__) != (
            function.__module__,
            function.__qualname__,
        ):
            raise ValueError(f"action {name!r} is already declared in {known.function.__module__}")
        _actions[name] = ActionDeclaration(
            name=name,
            function=function,
            params=_params_model(function),
            queue="killable" if killable and queue == "default" else queue,
            idempotent=idempotent,
            killable=killable,
            needs_host=needs_host,
            timeout_s=timeout_s,
            retry=retry or RetryPolicy(),
            role=role,
            summary=(inspect.getdoc(function) or "").partition("\n")[0],
            accepts_signal=accepts_signal,
            signal_form=signal_form,
            flow=flow,
            failure_notice=failure_notice,
        )
        return function

    return register


def callable_step(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Allow `python.call` to call this function under `name`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _callables[name] = function
        return function

    return register


def load_actions(modules: Iterable[str] = ()) -> Mapping[str, ActionDeclaration]:
    """Import the bundled actions, those of the entry-point group, and `modules`; answer all that are known."""
    for module in BUNDLED:
        importlib.import_module(module)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        entry.load()
    for module in modules:
        importlib.import_module(module)
    return dict(_actions)


def registered_callable(name: str) -> Callable[..., Any] | None:
    """The function that `@callable_step(name)` marked, if any."""
    return _callables.get(name)


def _params_model(function: Function) -> type[BaseModel]:
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) < 2:
        return NoParams
    hint = typing.get_type_hints(function).get(parameters[1])
    if not (inspect.isclass(hint) and issubclass(hint, BaseModel)):
        raise TypeError(f"{function.__qualname__}: annotate `{parameters[1]}` with a pydantic model")
    return hint
