"""What a run of the benchmark has found: one sample a round, by peer and measure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bench.samples import median, ratios

Samples = list[float | None]


@dataclass
class Results:
    """Samples by peer and measure; a round in which something was not measured holds None."""

    samples: dict[str, dict[str, Samples]] = field(default_factory=lambda: defaultdict(dict))
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, peer: str, measure: str, round_number: int, value: float) -> None:
        """Note one sample; rounds count from 0."""
        samples = self.samples[peer].setdefault(measure, [])
        samples.extend([None] * (round_number + 1 - len(samples)))
        samples[round_number] = value

    def note(self, text: str) -> None:
        """Remember what a reader must know of the figures, once."""
        if text not in self.notes:
            self.notes.append(text)

    def of(self, peer: str, measure: str) -> list[float]:
        """The samples there are."""
        return [sample for sample in self.samples.get(peer, {}).get(measure, []) if sample is not None]

    def median(self, peer: str, measure: str) -> float | None:
        samples = self.of(peer, measure)
        return median(samples) if samples else None

    def ratio(self, peer: str, measure: str, baseline: str, base_measure: str | None = None) -> float | None:
        """The median over rounds of peer by baseline, each taken within one round."""
        found = ratios(
            self.samples.get(peer, {}).get(measure, []),
            self.samples.get(baseline, {}).get(base_measure or measure, []),
        )
        return median(found) if found else None

    def as_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "notes": self.notes,
            "samples": {peer: dict(measures) for peer, measures in self.samples.items()},
        }

    def join(self, document: dict[str, Any]) -> None:
        """Add what an earlier run wrote with `as_json`; its rounds come before those of now.

        Call it before anything is measured.
        """
        offset = self.rounds
        for peer, measures in document["samples"].items():
            for measure, samples in measures.items():
                for number, sample in enumerate(samples):
                    if sample is not None:
                        self.add(peer, measure, offset + number, sample)
        self.versions |= document["versions"]
        for text in document["notes"]:
            self.note(text)

    @property
    def rounds(self) -> int:
        """How many rounds there are samples of."""
        return max((len(s) for measures in self.samples.values() for s in measures.values()), default=0)
