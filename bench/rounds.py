"""Rounds: each peer in turn has the machine to itself, and who goes first changes from round to round."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.driver import Peer, PeerFailed, PeerSpec, running
from bench.peers.protocol import Unsupported
from bench.results import Results
from bench.samples import median
from bench.scenarios import Scenario, Values
from bench.servers import Servers

Say = Callable[[str], None]


def rotated(peers: Sequence[PeerSpec], by: int) -> list[PeerSpec]:
    """The peers, beginning with another one."""
    shift = by % len(peers) if peers else 0
    return [*peers[shift:], *peers[:shift]]


def chosen(scenarios: Iterable[Scenario], spec: PeerSpec, round_number: int, *, quick: bool) -> list[Scenario]:
    """What the peer is asked for in this round."""
    return [
        scenario
        for scenario in scenarios
        if (scenario.peers is None or spec.name in scenario.peers)
        and (spec.scenarios is None or scenario.name in spec.scenarios)
        and round_number < min(spec.rounds, scenario.quick_rounds if quick else scenario.rounds)
    ]


def by_start(scenarios: Iterable[Scenario]) -> Iterator[tuple[Mapping[str, Any], list[Scenario]]]:
    """Scenarios that share one start of the peer, in the order in which they were first named."""
    groups: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        groups.setdefault(json.dumps([dict(scenario.start), scenario.apart], sort_keys=True), []).append(scenario)
    for group in groups.values():
        yield group[0].start, group


class Rounds:
    """Runs rounds on the servers and notes what comes of them."""

    def __init__(self, servers: Servers, results: Results, say: Say, *, quick: bool) -> None:
        self.servers = servers
        self.results = results
        self.say = say
        self.quick = quick
        self.failures = 0

    def run(self, number: int, peers: Sequence[PeerSpec], scenarios: Sequence[Scenario], offset: int) -> None:
        """Round `number`; its samples are noted as those of round `offset + number`."""
        for spec in rotated(peers, number):
            for start, group in by_start(chosen(scenarios, spec, number, quick=self.quick)):
                self.say(f"round {number + 1}: {spec.title}")
                try:
                    self._group(spec, start, group, offset + number)
                except (PeerFailed, OSError) as error:
                    self._failed(spec.title, error)

    def _group(self, spec: PeerSpec, start: Mapping[str, Any], group: Sequence[Scenario], number: int) -> None:
        database_url = self.servers.fresh("bench_" + spec.name.replace("-", "_"))
        with running(spec, database_url, self.servers.valkey.url, self.servers.directory) as peer:
            try:
                self.results.versions[spec.title] = peer.ask("start", **{**spec.start, **start})
            except Unsupported as reason:
                self.results.note(f"{spec.title} {reason}")
                return
            for scenario in group:
                try:
                    self._measure(peer, scenario, number)
                except Unsupported as reason:
                    self.results.note(f"{spec.title} {reason}")

    def _measure(self, peer: Peer, scenario: Scenario, number: int) -> None:
        with self.servers.flush_taking(scenario.flush_ms):
            found = [self._once(peer, scenario) for _ in range(scenario.repeats)]
        for part in found[0]:
            name = f"{scenario.name}.{part}" if part else scenario.name
            value = median(values[part] for values in found)
            self.results.add(peer.spec.name, name, number, value)
            self.say(f"    {name}: {value:.3f}")

    def _once(self, peer: Peer, scenario: Scenario) -> Values:
        before = self.servers.settled()
        if scenario.probe is None:
            answer = peer.ask(scenario.request, **scenario.arguments)
        else:
            answer = scenario.probe(peer, self.servers, scenario.arguments)
        return scenario.values(scenario.arguments, answer, self.servers.settled().since(before))

    def _failed(self, title: str, error: Exception) -> None:
        self.failures += 1
        self.results.note(f"{title} failed: {str(error).strip().splitlines()[-1]}")
        self.say(f"    failed: {error}")
