"""`chat.generate`: asks a model and writes what it answers, piece by piece. Answers and proposals are such steps."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestration.actions.context import ActionContext
from orchestration.actions.declaration import ActionParams
from orchestration.actions.outcomes import ActionCancelled, Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.chat import bundled_filters as _bundled_filters  # noqa: F401 - declares them
from orchestration.chat.filters import FilterChain
from orchestration.chat.halves import Halves
from orchestration.chat.prompts import with_proposals
from orchestration.chat.tokens import estimated_prompt_tokens, estimated_tokens
from orchestration.core.storable import storable_text
from orchestration.errors import PerdureError, TooLarge
from orchestration.models.flow import flow_of
from orchestration.models.port import Delta, LanguageModel, ModelRequest
from orchestration.models.registry import ModelRegistry
from schemas.base import StepKey
from schemas.chat import MAX_PROPOSERS, ChatContext, ModelName, Timings, Usage
from schemas.flow import FlowSpec
from schemas.json import JsonObject
from schemas.retry import RetryPolicy

log = logging.getLogger("perdure.chat")

RETRY = RetryPolicy(max_attempts=3, base_delay_s=1.0, max_delay_s=30.0)
TIMEOUT_S = 600.0
HEADLINE = 120
# What ended the attempt that wrote the text so far, when nothing is wrong with that text.
CUT_SHORT = frozenset(
    {"lost", "handed_back", "timeout", "model.cut_off", "model.timeout", "model.unavailable", "model.rate_limited"}
)
# As the relay and the page know it.
AGENT_FAILED: JsonObject = {
    "notice": "chat:message:error",
    "message": "One of the agents failed to respond.",
}


class Proposal(BaseModel):
    """What another model proposed: as a text, or what a step of the run wrote. Without a text, it failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: ModelName
    text: str | None = None
    step: StepKey | None = None


class GenerateParams(ActionParams):
    """Which model is asked what, and what others proposed."""

    model: ModelName = Field(description="`provider/model`")
    request: ChatContext
    part: Literal["answer", "proposal"] = "answer"
    proposals: tuple[Proposal, ...] = Field((), max_length=MAX_PROPOSERS, description="to make one answer of")
    quorum: int = Field(1, ge=1, le=MAX_PROPOSERS, description="least number of proposals that have a text")


def _flow(params: GenerateParams, _host: object) -> FlowSpec:
    """The breaker and the rate limit of the model's provider, shared by all workers."""
    return flow_of(params.model)


def _notice(params: JsonObject) -> JsonObject | None:
    return AGENT_FAILED if params.get("part") == "proposal" else None


@action(
    "chat.generate",
    idempotent=True,
    timeout_s=TIMEOUT_S,
    retry=RETRY,
    flow=_flow,
    failure_notice=_notice,
)
def generate(ctx: ActionContext, params: GenerateParams) -> Result:
    """Ask a model, and write its answer piece by piece. An answer stays if it is made of what it was made of before."""
    proposals = usable_proposals(ctx, params)
    if (kept := _kept(ctx, proposals)) is not None:
        return kept
    models: ModelRegistry = ctx.settings["models"]
    model, own_name = models.find(params.model, ctx.secret)
    filters = FilterChain.of(params.request.filters, ctx.settings.get("chat_filter_options", {}), ctx.log)
    context = filters.inlet(with_proposals(params.request, proposals))
    prefix = _begin(ctx, model, filters)
    request = ModelRequest(own_name, context.messages, context.parameters, context.user, prefix)
    answer = _Answer(ctx, filters, prefix)
    try:
        answer.take(model, request)
    except (Retryable, Permanent, ActionCancelled, PerdureError):
        raise
    except Exception as error:
        # A provider's own code raised it, and its words may be anything: they are for the log.
        ctx.raise_if_cancelled()
        log.exception("model raised", extra={"model": params.model})
        ctx.log(f"{params.model}: {type(error).__name__}: {error}\n", "error")
        raise Retryable(
            f"the model {params.model} failed with an error of its own; the step's log says which", code="model.failed"
        ) from error
    finally:
        answer.count(request)
    result = answer.result(params.model, request)
    if proposals:
        result.details["made_of"] = _digest(proposals)
    return result


def usable_proposals(ctx: ActionContext, params: GenerateParams) -> list[str]:
    """The texts of those that answered. Raises: Permanent (`chat.quorum`) when they are too few; StoreUnavailable."""
    texts = [text for text in (_text_of(ctx, one) for one in params.proposals) if text and text.strip()]
    if params.proposals and len(texts) < params.quorum:
        count, needed = len(params.proposals), params.quorum
        raise Permanent(
            f"{len(texts)} of {count} agents answered, and the mixture needs {needed}",
            code="chat.quorum",
            details={"answered": len(texts), "agents": count, "quorum": needed},
        )
    return texts


def _text_of(ctx: ActionContext, proposal: Proposal) -> str | None:
    if proposal.step is None:
        return proposal.text
    result = ctx.results[proposal.step]
    return result["details"]["text"] if result is not None else None


def _kept(ctx: ActionContext, proposals: Sequence[str]) -> Result | None:
    """The answer that stands, where an agent was asked again and that brought no other proposals."""
    details = ctx.kept["details"] if ctx.kept is not None else {}
    if not proposals or details.get("made_of") != _digest(proposals):
        return None
    ctx.log("the proposals are as they were, so the answer is left as it is\n")
    return Result(headline(details["text"]), details, prose=True)


def _digest(proposals: Sequence[str]) -> str:
    lengths = [len(text) for text in proposals]
    return hashlib.sha256("\0".join((repr(lengths), *proposals)).encode("utf-8", "surrogatepass")).hexdigest()


def _begin(ctx: ActionContext, model: LanguageModel, filters: FilterChain) -> str:
    """What the model is to go on from. Readers are told where the text stands: they may know more than was stored."""
    goes_on = ctx.written_until in CUT_SHORT and model.continues and filters.is_resumable
    # A model that goes on from less than readers have heard would say it in other words.
    prefix = ctx.heard() if goes_on else ""
    # What was finished is read until its first word is replaced.
    if ctx.attempt > 1 and ctx.kept is None:
        ctx.rewrite(prefix)
    return prefix


@dataclass
class _Answer:
    """An answer that is being written."""

    ctx: ActionContext
    filters: FilterChain
    prefix: str
    pieces: list[str] = field(default_factory=list)
    halves: Halves = field(default_factory=Halves)
    finish_reason: str | None = None
    usage: Usage | None = None
    began_at: float = field(default_factory=time.monotonic)
    first_at: float | None = None
    thought: bool = False
    ended_at: float = 0.0

    def take(self, model: LanguageModel, request: ModelRequest) -> None:
        """Write all that the model answers. Raises what the model raises, and ActionCancelled."""
        self.pieces = [self.prefix]
        with closing(_closable(model.stream(request, self.ctx.on_cancel))) as deltas:
            try:
                for delta in deltas:
                    self._take(delta)
                self._write(self.filters.flush())
            except TooLarge:
                # It has said as much as can be kept; that is an answer, and asking again would bring the same.
                self.finish_reason = "length"
        self.ended_at = time.monotonic()
        if self.finish_reason is None:
            self.ctx.raise_if_cancelled()
            raise Retryable("the model's answer ended without a word that it had ended", code="model.cut_off")
        whole = "".join(self.pieces)
        kept = self.filters.outlet(whole)
        kept = storable_text(kept, len(kept))
        if kept != whole:
            self.pieces = [kept]
            self.ctx.rewrite(kept)

    def count(self, request: ModelRequest) -> None:
        """Count the tokens of this attempt, also where it was cut short. Where the model said nothing, none."""
        text = "".join(self.pieces)
        if self.usage is None and len(text) <= len(self.prefix):
            return
        usage = self._usage(text, request)
        written = max(0, usage.completion_tokens - estimated_tokens(self.prefix))
        self.ctx.count_tokens(prompt=usage.prompt_tokens, completion=written)

    def result(self, model: str, request: ModelRequest) -> Result:
        """The result of the step."""
        text = "".join(self.pieces)
        usage = self._usage(text, request)
        details: JsonObject = {
            "text": text,
            "model": model,
            "finish_reason": self.finish_reason,
            "usage": usage.model_dump(mode="json"),
            "timings": self._timings(usage).model_dump(mode="json"),
        }
        if self.filters.notes:
            details["filters"] = self.filters.notes
        return Result(headline(text), details, prose=True)

    def _take(self, delta: Delta) -> None:
        self.ctx.raise_if_cancelled()
        # Once: how long it thinks is counted from then.
        if delta.is_thinking and not self.thought:
            self.thought = True
            self.ctx.progress(message="Thinking")
        if delta.text:
            if self.first_at is None:
                self.first_at = time.monotonic()
                if self.thought:
                    self.ctx.progress(message="Writing")
            self._write(self.filters.stream(self.halves.joined(delta.text)))
        self.finish_reason = delta.finish_reason or self.finish_reason
        if delta.usage is not None and delta.usage.is_plausible:
            self.usage = delta.usage

    def _write(self, text: str) -> None:
        if text:
            clean = storable_text(text, len(text))
            self.ctx.write(clean)
            self.pieces.append(clean)

    def _usage(self, text: str, request: ModelRequest) -> Usage:
        if self.usage is None:
            prompt = estimated_prompt_tokens(request.messages)
            return Usage(prompt_tokens=prompt, completion_tokens=estimated_tokens(text), estimated=True)
        if not self.prefix:
            return self.usage
        # What was counted is only what came behind the beginning.
        completion = self.usage.completion_tokens + estimated_tokens(self.prefix)
        return self.usage.model_copy(update={"completion_tokens": completion, "estimated": True})

    def _timings(self, usage: Usage) -> Timings:
        total_s = self.ended_at - self.began_at
        written_s = self.ended_at - self.first_at if self.first_at is not None else 0.0
        tokens = usage.completion_tokens - estimated_tokens(self.prefix)
        return Timings(
            first_token_ms=round((self.first_at - self.began_at) * 1000, 1) if self.first_at is not None else None,
            total_ms=round(total_s * 1000, 1),
            tokens_per_s=round(tokens / written_s, 1) if written_s > 0.001 and tokens > 0 else None,
        )


def headline(text: str) -> str:
    """The first words of an answer."""
    line = " ".join(text[: HEADLINE * 4].split())
    return line if len(line) <= HEADLINE else line[: HEADLINE - 1].rsplit(" ", 1)[0] + "…"


def _closable(deltas: Iterator[Delta]) -> Generator[Delta]:
    """As a generator, which passes being closed on to a generator inside."""
    yield from deltas
