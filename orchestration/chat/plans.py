"""Which steps answer a message: one model, a mixture of agents, or the models of a battle."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.chat import ChatContext, Mixture
from schemas.json import JsonObject
from schemas.statuses import RunKind
from schemas.workflow import StepSpec, WorkflowSpec

ACTION = "chat.generate"
ANSWER = "answer"
MIXTURE_MODEL = "mixture"
PRIORITY = 10


@dataclass(frozen=True)
class Written:
    """What one step writes: an answer, or a proposal for the answer. `position` is the step's."""

    position: int
    model: str
    is_proposal: bool = False


@dataclass(frozen=True)
class Plan:
    """The workflow that answers, and what its steps write: answers first."""

    workflow: WorkflowSpec
    writes: tuple[Written, ...]

    @property
    def answers(self) -> tuple[Written, ...]:
        """What is written into the conversation."""
        return tuple(one for one in self.writes if not one.is_proposal)


def plan_answer(context: ChatContext, model: str, title: str) -> Plan:
    """One model answers."""
    return Plan(_workflow(context, title, [_step(ANSWER, model, f"Answer of {model}")]), (Written(0, model),))


def plan_battle(context: ChatContext, models: tuple[str, ...], title: str) -> Plan:
    """Several models answer at once; one that fails leaves the others alone."""
    steps = [
        # Which model it is shows only after a vote.
        _step(f"contender{number}", model, f"Contender {number}", on_failure="continue", needs=())
        for number, model in enumerate(models, 1)
    ]
    return Plan(
        _workflow(context, title, steps), tuple(Written(position, model) for position, model in enumerate(models))
    )


def plan_mixture(context: ChatContext, mixture: Mixture, title: str) -> Plan:
    """Proposers answer at once, layer by layer, and an aggregator makes one answer of the last layer's proposals."""
    steps: list[StepSpec] = []
    before: tuple[str, ...] = ()
    quorum = mixture.quorum or 1
    for layer in range(1, mixture.layers + 1):
        keys = tuple(_proposer(mixture, layer, number) for number in range(1, len(mixture.proposers) + 1))
        for number, (key, model) in enumerate(zip(keys, mixture.proposers, strict=True), 1):
            label = f"Agent {number}: {model}" if mixture.layers == 1 else f"Layer {layer}, agent {number}: {model}"
            proposals = _proposals(before, mixture.proposers, quorum)
            steps.append(
                _step(key, model, label, needs=before, on_failure="continue", part="proposal", proposals=proposals)
            )
        before = keys
    proposals = _proposals(before, mixture.proposers, quorum)
    label = f"Answer of {mixture.aggregator}"
    steps.append(_step(ANSWER, mixture.aggregator, label, needs=before, part="answer", proposals=proposals))
    last = len(steps) - 1
    count = len(mixture.proposers)
    drafts = tuple(Written(position, mixture.proposers[position % count], True) for position in range(last))
    # Kept as it was asked for, so that the answer can be written again.
    metadata: JsonObject = {"chat": {"mixture": mixture.model_dump(mode="json", exclude_none=True)}}
    return Plan(_workflow(context, title, steps, metadata), (Written(last, mixture.aggregator), *drafts))


def _proposer(mixture: Mixture, layer: int, number: int) -> str:
    return f"agent{number}" if mixture.layers == 1 else f"layer{layer}_agent{number}"


def _proposals(keys: tuple[str, ...], models: tuple[str, ...], quorum: int) -> JsonObject:
    """Parameters that name the steps of a layer. No references: all their texts together may be longer than those."""
    if not keys:
        return {}
    given = [{"model": model, "step": key} for key, model in zip(keys, models, strict=True)]
    return {"proposals": given, "quorum": quorum}


def _step(
    key: str,
    model: str,
    label: str,
    *,
    needs: tuple[str, ...] | None = None,
    on_failure: str = "fail",
    part: str = "answer",
    proposals: JsonObject | None = None,
) -> StepSpec:
    # What people wrote comes in by reference and is not scanned for references itself.
    params: JsonObject = {"model": model, "request": "{{ params.request }}", "part": part} | (proposals or {})
    return StepSpec.model_validate(
        {
            "key": key,
            "action": ACTION,
            "label": label[:200],
            "params": params,
            "needs": needs,
            "on_failure": on_failure,
        }
    )


def _workflow(
    context: ChatContext, title: str, steps: list[StepSpec], metadata: JsonObject | None = None
) -> WorkflowSpec:
    return WorkflowSpec(
        name=title or "Chat",
        steps=tuple(steps),
        params={"request": context.model_dump(mode="json", exclude_defaults=True)},
        kind=RunKind.INTERACTIVE,
        priority=PRIORITY,
        metadata=metadata or {},
    )
