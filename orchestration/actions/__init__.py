"""The SDK for authors of actions: `@action`, `ActionContext`, and what an action returns or raises."""

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionDeclaration, BreakerPolicy, NoParams, SecretRef
from orchestration.actions.outcomes import ActionCancelled, Expand, ExpandStep, Permanent, Result, Retryable
from orchestration.actions.registry import action, callable_step

__all__ = [
    "ActionCancelled",
    "ActionContext",
    "ActionDeclaration",
    "BreakerPolicy",
    "Expand",
    "ExpandStep",
    "NoParams",
    "Permanent",
    "Result",
    "Retryable",
    "SecretRef",
    "action",
    "callable_step",
]
