"""Chains of fallbacks as steps: each stands in for the one before it; those that name an action become steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.errors import InvalidWorkflow
from schemas.retry import Fallback, FallbackPolicy
from schemas.workflow import StepSpec

LONGEST_KEY = 64


@dataclass
class Unfolded:
    """Steps without chains. `places` are their JSON pointers in what was sent, of an added one that of its action."""

    steps: list[StepSpec]
    places: list[str]
    positions: dict[str, int]
    # For each step that stands in for others: what is tried when it fails too, and the step whose chain that is of.
    tails: dict[int, tuple[tuple[Fallback, ...], str | None]] = field(default_factory=dict)


def unfold_fallbacks(steps: Sequence[StepSpec], *, where: str = "/steps") -> Unfolded:
    """The steps, those that fallbacks add at the end; each then falls back to at most one step, or a value.

    A cached result is looked for by the step that failed last, for the one that the chain is of; that one is left with
    the wish as well, behind what it falls back to, so that its results are kept. Not to be done twice.
    `where` is the JSON pointer of the steps in what was sent.
    Raises: InvalidWorkflow for a chain that leads nowhere, or for two that part at a step they share.
    """
    places = [f"{where}/{position}" for position in range(len(steps))]
    unfolded = Unfolded(list(steps), places, {step.key: position for position, step in enumerate(steps)})
    for position, step in enumerate(steps):
        if isinstance(step.on_failure, FallbackPolicy):
            _Chain(unfolded, position, step, step.on_failure).unfold()
    return unfolded


def check_stand_in(
    step: StepSpec, key: str, steps: Sequence[StepSpec], positions: Mapping[str, int], where: str
) -> int:
    """The position of the step that stands in for `step`. Raises: InvalidWorkflow when none such can."""
    target = positions.get(key)
    if target is None or key == step.key:
        raise InvalidWorkflow(
            f"step {step.key!r} falls back to {key!r}, which is not another step",
            where=where,
            mend="name a step of this workflow",
        )
    if not steps[target].enabled:
        raise InvalidWorkflow(
            f"step {step.key!r} falls back to {key!r}, which is disabled", where=where, mend="enable that step"
        )
    return target


class _Chain:
    """One step's chain on its way to become steps."""

    def __init__(self, into: Unfolded, position: int, owner: StepSpec, policy: FallbackPolicy) -> None:
        self.into = into
        self.position = position
        self.owner = owner
        self.policy = policy
        self.added = 0

    def unfold(self) -> None:
        """Say of each step of the chain what is tried next."""
        links = self.policy.chain
        current, tried = self.position, list[Fallback]()
        for index, link in enumerate(links):
            if link.cached is not None:
                tried.append(self._cached(link, current))
                continue
            if link.step is None and link.action is None:
                tried.append(link)
                continue
            rest = links[index + 1 :]
            target = self._target(link, current, self._place(index), rest)
            tried.append(Fallback(step=self.into.steps[target].key))
            if current == self.position:
                # Not tried here, but what is to be found later is this step's.
                tried.extend(one for one in rest if one.cached is not None and one.of is None)
            self._set(current, tried)
            if self._is_settled(target, rest, self._place(index)):
                return
            current, tried = target, []
        if tried:
            self._set(current, tried)

    def _cached(self, link: Fallback, current: int) -> Fallback:
        if current == self.position or link.of is not None:
            return link
        return link.model_copy(update={"of": self.owner.key})

    def _target(self, link: Fallback, current: int, where: str, rest: tuple[Fallback, ...]) -> int:
        steps, positions = self.into.steps, self.into.positions
        if link.step is not None:
            return check_stand_in(steps[current], link.step, steps, positions, f"{where}/step")
        assert link.action is not None
        key = link.key or self._free_key()
        if key in positions:
            raise InvalidWorkflow(f"the key {key!r} is used twice", where=f"{where}/key", mend="give it another key")
        label = f"{(self.owner.label or self.owner.key)[:180]} (fallback)"
        steps.append(StepSpec(key=key, action=link.action, params=link.params, label=label))
        positions[key] = len(steps) - 1
        self.into.places.append(where)
        return positions[key]

    def _free_key(self) -> str:
        while True:
            self.added += 1
            suffix = "-fallback" if self.added == 1 else f"-fallback-{self.added}"
            key = self.owner.key[: LONGEST_KEY - len(suffix)] + suffix
            if key not in self.into.positions:
                return key

    def _is_settled(self, target: int, rest: tuple[Fallback, ...], where: str) -> bool:
        """Whether another chain said before what is tried when `target` fails.

        Raises: InvalidWorkflow when that is not the same.
        """
        # Whose cached result is taken cannot depend on which of two steps failed.
        tail = (rest, self.owner.key if any(one.cached is not None for one in rest) else None)
        key = self.into.steps[target].key
        if target in self.into.tails:
            if self.into.tails[target] != tail:
                raise InvalidWorkflow(
                    f"two steps fall back to {key!r}, and go on from there in different ways",
                    where=where,
                    mend="let each have a step of its own",
                )
            return True
        if rest and self.into.steps[target].on_failure != "fail":
            raise InvalidWorkflow(
                f"step {key!r} says itself what is done when it fails, and stands in the middle of a chain",
                where=where,
                mend="put it last, or leave out its on_failure",
            )
        self.into.tails[target] = tail
        return False

    def _set(self, position: int, tried: list[Fallback]) -> None:
        policy = FallbackPolicy(fallback=tried[0] if len(tried) == 1 else tuple(tried))
        self.into.steps[position] = self.into.steps[position].model_copy(update={"on_failure": policy})

    def _place(self, index: int) -> str:
        place = f"{self.into.places[self.position]}/on_failure/fallback"
        return f"{place}/{index}" if isinstance(self.policy.fallback, tuple) else place
