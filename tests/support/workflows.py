"""Random workflows as a person writes them, and the same as steps of the model."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.model import Step

picks = st.integers(0, 999)


@st.composite
def workflows(draw: st.DrawFn, prefix: str = "s", *, expanded: bool = False) -> list[dict[str, Any]]:
    """Steps as a person writes them: a list in order, or a graph with needs; fallbacks of fallbacks at its end."""
    count = draw(st.integers(1, 3 if expanded else 6))
    is_graph = expanded or draw(st.booleans())
    steps: list[dict[str, Any]] = []
    for n in range(count):
        action = draw(st.sampled_from(["work", "work", "once", "wait_for_signal"]))
        step: dict[str, Any] = {"key": f"{prefix}{n}", "action": action, "delay_s": draw(st.sampled_from([0, 0, 3]))}
        step["retry"] = {"max_attempts": draw(st.integers(1, 3)), "base_delay_s": 1, "jitter": 0}
        step["on_failure"] = draw(st.sampled_from(["fail", "fail", "continue", {"fallback": {"value": 1}}]))
        step["enabled"] = expanded or draw(st.sampled_from([True, True, True, False]))
        if is_graph:
            step["needs"] = sorted({f"{prefix}{need % n}" for need in draw(st.lists(picks, max_size=3))} if n else ())
        steps.append(step)
    steps[draw(picks) % count]["enabled"] = True
    if is_graph and not expanded:
        for n in range(draw(st.integers(0, 2))):
            failing = steps[draw(picks) % len(steps)]
            if not isinstance(failing["on_failure"], dict):
                failing["on_failure"] = {"fallback": {"step": f"f{n}"}}
                steps.append({"key": f"f{n}", "action": "work", "needs": [], "on_failure": "fail", "enabled": True})
    return steps


def modelled(specs: list[dict[str, Any]]) -> list[Step]:
    """The steps of the model, wired by what the documentation says of lists, needs and fallbacks."""
    place = {spec["key"]: position for position, spec in enumerate(specs)}
    steps = []
    for position, spec in enumerate(specs):
        chained = {position - 1} - {-1}
        needs = {place[key] for key in spec["needs"]} if "needs" in spec else chained
        kind: Any = (
            spec["on_failure"] if isinstance(spec["on_failure"], str) else next(iter(spec["on_failure"]["fallback"]))
        )
        on_lost: Any = "fail" if spec["action"] == "once" else "retry"
        tries = spec.get("retry", {}).get("max_attempts", 3)
        takes_signal = spec["action"] == "wait_for_signal"
        steps.append(
            Step(spec["key"], needs, kind, on_lost, tries, spec.get("delay_s", 0), takes_signal, not spec["enabled"])
        )
    # The last fallback first, so that who needs the step it stands in for is given its own substitutes as well.
    for position, spec in enumerate(specs):
        if steps[position].on_failure == "step":
            spare = place[spec["on_failure"]["fallback"]["step"]]
            for other in steps:
                if position in other.needs and other is not steps[spare]:
                    other.needs.add(spare)
            steps[spare].needs.add(position)
    return steps
