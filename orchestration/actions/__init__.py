"""The SDK for authors of actions: `@action`, `ActionContext`, and what an action returns or raises."""

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionDeclaration, NoParams, SecretRef
from orchestration.actions.outcomes import ActionCancelled, Expand, ExpandStep, Permanent, Result, Retryable
from orchestration.actions.registry import action, callable_step
from schemas.flow import BreakerSpec, ConcurrencySpec, FlowSpec, LockSpec, RateLimitSpec

__all__ = [
    "ActionCancelled",
    "ActionContext",
    "ActionDeclaration",
    "BreakerSpec",
    "ConcurrencySpec",
    "Expand",
    "ExpandStep",
    "FlowSpec",
    "LockSpec",
    "NoParams",
    "Permanent",
    "RateLimitSpec",
    "Result",
    "Retryable",
    "SecretRef",
    "action",
    "callable_step",
]
