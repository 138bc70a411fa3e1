"""What a step says of its failures: how often and how soon it is tried again, and what stands in for it in the end."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.base import StepKey, Strict
from schemas.json import Json


class RetryPolicy(Strict):
    """How often and how soon a failed step is tried again.

    The delay before try n+1 is `base_delay_s * 2**(n-1)`, at most `max_delay_s`, spread by `jitter` (a fraction).
    """

    max_attempts: int = Field(3, ge=1, le=1000, description="tries in all that may fail")
    base_delay_s: float = Field(1.0, ge=0, le=86_400, description="delay after the first failure, seconds")
    max_delay_s: float = Field(30.0, ge=0, le=604_800, description="longest delay, seconds")
    jitter: float = Field(0.2, ge=0, le=1, description="random spread, as a fraction of the delay")


class Fallback(Strict):
    """What stands in for a step that failed: another step, or a fixed value as its result."""

    step: StepKey | None = None
    value: Json = None

    @model_validator(mode="after")
    def _one_of(self) -> Fallback:
        if (self.step is None) == ("value" not in self.model_fields_set):
            raise ValueError("give either 'step' or 'value'")
        return self


class FallbackPolicy(Strict):
    """`on_failure: {fallback: ...}`."""

    fallback: Fallback


OnFailure = Literal["fail", "continue"] | FallbackPolicy
