"""What a step says of its failures: how often and how soon it is tried again, and what stands in for it in the end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import ActionName, StepKey, Strict
from schemas.json import Json, JsonObject

MAX_OVERRIDES = 20
MAX_FALLBACKS = 8
LONGEST_CACHED_S = 30 * 86_400.0

CODE_PATTERN = r"^[A-Za-z0-9_.:-]{1,100}$"
ErrorCode = Annotated[str, StringConstraints(pattern=CODE_PATTERN)]


class RetryOverride(Strict):
    """What is different for some errors; what is left out is as the policy says."""

    retry: bool | None = Field(
        None, description="false: never tried again; true: even where the action says that it is no use"
    )
    max_attempts: int | None = Field(None, ge=1, le=1000, description="tries in all that may fail, with any error")
    base_delay_s: float | None = Field(None, ge=0, le=86_400, description="seconds")
    max_delay_s: float | None = Field(None, ge=0, le=604_800, description="seconds")


class RetryPolicy(Strict):
    """How often and how soon a failed step is tried again.

    The delay after the n-th failure is `base_delay_s * 2**(n-1)`, at most `max_delay_s`. By `strategy` it is

    - `bounded`: spread by `jitter`, a fraction of it;
    - `full`: anything from nothing to all of it;
    - `decorrelated`: drawn n times between `base_delay_s` and three times the one before, at most `max_delay_s`.

    Source: Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
    """

    max_attempts: int = Field(3, ge=1, le=1000, description="tries in all that may fail")
    base_delay_s: float = Field(1.0, ge=0, le=86_400, description="delay after the first failure, seconds")
    max_delay_s: float = Field(30.0, ge=0, le=604_800, description="longest delay, seconds")
    jitter: float = Field(0.2, ge=0, le=1, description="random spread of `bounded`, as a fraction of the delay")
    strategy: Literal["bounded", "full", "decorrelated"] = Field("bounded", description="how delays are spread")
    budget_s: float | None = Field(
        None,
        gt=0,
        le=2_592_000,
        description="no retry begins so long after the first try began, seconds; unset: no limit",
    )
    on: dict[ErrorCode, RetryOverride] = Field(
        default_factory=dict,
        max_length=MAX_OVERRIDES,
        description="by the error's code, or how codes begin, such as `http.5`; the longest that fits counts",
    )

    def __hash__(self) -> int:
        # A mapping has no hash of its own, and policies are looked up by what they say.
        return hash(
            (
                self.max_attempts,
                self.base_delay_s,
                self.max_delay_s,
                self.jitter,
                self.strategy,
                self.budget_s,
                frozenset(self.on.items()),
            )
        )

    def stored(self) -> JsonObject:
        """The form in rows. What came later is left out where it is unused, so that workers of before can read it."""
        document: JsonObject = self.model_dump(mode="json", exclude={"strategy", "budget_s", "on"})
        return document | self.model_dump(
            mode="json", include={"strategy", "budget_s", "on"}, exclude_defaults=True, exclude_none=True
        )


class Fallback(Strict):
    """What stands in for a step that failed: one of `step`, `action`, `cached` and `value`."""

    step: StepKey | None = Field(None, description="another step of the workflow")
    action: ActionName | None = Field(None, description="a step that is added for it, with `params`")
    params: JsonObject = Field(default_factory=dict, description="of `action`")
    key: StepKey | None = Field(None, description="of the added step; unset: the step's key and `-fallback`")
    cached: Literal[True] | None = Field(
        None, description="the last result of the step's action with the same parameters, under the same key"
    )
    max_age_s: float | None = Field(
        None, gt=0, le=LONGEST_CACHED_S, description="of `cached`: how old it may be, seconds; unset: 30 days"
    )
    of: StepKey | None = Field(None, description="of `cached`: whose result; unset: that of the step that failed")
    value: Json = Field(None, description="a result")

    @model_validator(mode="after")
    def _one_of(self) -> Fallback:
        given = [self.step, self.action, self.cached]
        if len(given) - given.count(None) + ("value" in self.model_fields_set) != 1:
            raise ValueError("give one of 'step', 'action', 'cached' and 'value'")
        if self.action is None and (self.params or self.key is not None):
            raise ValueError("'params' and 'key' belong to 'action'")
        if self.cached is None and (self.max_age_s is not None or self.of is not None):
            raise ValueError("'max_age_s' and 'of' belong to 'cached'")
        return self


class FallbackPolicy(Strict):
    """`on_failure: {fallback: ...}`: what stands in, or several that are tried in order."""

    fallback: Fallback | Annotated[tuple[Fallback, ...], Field(min_length=1, max_length=MAX_FALLBACKS)]

    @property
    def chain(self) -> tuple[Fallback, ...]:
        """What is tried, in order."""
        return self.fallback if isinstance(self.fallback, tuple) else (self.fallback,)

    @property
    def step(self) -> str | None:
        """The step that stands in, if that is what is tried first after a cached result."""
        return next((one.step for one in self.chain if one.cached is None), None)

    @property
    def remembers(self) -> bool:
        """Whether the step's results are to be kept, to stand in for later ones."""
        return any(one.cached is not None and one.of is None for one in self.chain)

    @model_validator(mode="after")
    def _in_a_useful_order(self) -> FallbackPolicy:
        if any("value" in one.model_fields_set for one in self.chain[:-1]):
            raise ValueError("nothing comes after a 'value', which cannot fail; put it last")
        if sum(one.cached is not None for one in self.chain) > 1:
            raise ValueError("'cached' is there twice; name it once")
        return self


OnFailure = Literal["fail", "continue"] | FallbackPolicy
