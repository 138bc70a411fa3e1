"""What is asked of whom, and what becomes of an answer."""

from __future__ import annotations

import pytest

from bench.driver import PeerSpec
from bench.measures import MEASURES
from bench.roster import BASELINE, roster
from bench.rounds import by_start, chosen, rotated
from bench.scenarios import SCENARIOS, Scenario, growth, latency, mebibytes, per_step, percent, rate, wide
from bench.servers import Counted
from bench.steps import parser

NOTHING = Counted(0, 0)


def spec(name: str, **changes: object) -> PeerSpec:
    return PeerSpec(name, name, "module", **changes)  # type: ignore[arg-type]


def test_the_work_a_step_was_told_to_do_is_no_overhead():
    assert per_step({"steps": 20, "work_s": 0.05}, {"seconds": 1.1}, NOTHING)[""] == pytest.approx(5.0)


def test_a_peer_that_did_less_is_judged_by_what_it_did():
    assert per_step({"steps": 100}, {"seconds": 1.0, "steps": 50}, NOTHING)[""] == pytest.approx(20.0)
    assert rate({"runs": 300, "steps": 5}, {"seconds": 5.0, "runs": 10}, NOTHING)[""] == pytest.approx(10.0)


def test_growth_counts_bytes_a_step():
    values = growth({"steps": 10}, {"seconds": 0.02}, Counted(wal_bytes=5000, broker_bytes=20_000))
    assert values == {"": pytest.approx(2.0), "broker": 2000, "wal": 500}


def test_other_values():
    assert latency({}, {"samples": [0.001, 0.002, 0.009]}, NOTHING) == {"": 2.0, "p99": 9.0}
    assert wide({"width": 1000}, {"one_run": 4.0, "many_runs": 2.0}, NOTHING)["share"] == pytest.approx(0.5)
    assert percent({}, {"seconds": 20.0, "workers": 0.1, "servers": 0.2}, NOTHING) == {
        "workers": pytest.approx(0.5),
        "servers": pytest.approx(1.0),
    }
    assert mebibytes({}, {"start_bytes": 2**20, "end_bytes": 3 * 2**20}, NOTHING)["added"] == 2.0


def test_every_value_of_every_scenario_has_a_row_in_the_table():
    parts = {"submit": ["p99"], "growth": ["broker", "wal"]}
    for scenario in SCENARIOS:
        if scenario.name in ("wide", "idle", "memory"):
            assert any(name.startswith(f"{scenario.name}.") for name in MEASURES)
        else:
            assert scenario.name in MEASURES
            for part in parts.get(scenario.name.partition("-")[0], []):
                assert f"{scenario.name}.{part}" in MEASURES


def test_scenarios_name_peers_that_there_are():
    known = set(roster()) | {"perdure-handover"}
    assert BASELINE in known
    for scenario in SCENARIOS:
        assert set(scenario.peers or ()) <= known
    names = {scenario.name for scenario in SCENARIOS}
    for peer in roster().values():
        assert peer.scenarios is None or peer.scenarios <= names


def test_another_peer_goes_first_each_round():
    peers = [spec("a"), spec("b"), spec("c")]
    assert [[peer.name for peer in rotated(peers, by)] for by in range(4)] == [
        ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"],
    ]  # fmt: skip
    assert rotated([], 3) == []


def test_slow_peers_and_scenarios_take_part_in_fewer_rounds():
    often = Scenario("often", "chain", {}, per_step)
    once = Scenario("once", "chain", {}, per_step, rounds=1, quick_rounds=0)
    theirs = Scenario("theirs", "chain", {}, per_step, peers=("b",))
    all_three = [often, once, theirs]

    def names(peer: PeerSpec, number: int, *, quick: bool = False) -> list[str]:
        return [scenario.name for scenario in chosen(all_three, peer, number, quick=quick)]

    assert names(spec("a"), 0) == ["often", "once"]
    assert names(spec("a"), 1) == ["often"]
    assert names(spec("a"), 0, quick=True) == ["often"]
    assert names(spec("b"), 1) == ["often", "theirs"]
    assert names(spec("b", rounds=1), 1) == []
    assert names(spec("b", scenarios=frozenset({"theirs"})), 0) == ["theirs"]


def test_scenarios_share_a_start_unless_one_is_apart():
    first = Scenario("first", "chain", {}, per_step)
    second = Scenario("second", "chain", {}, per_step)
    other = Scenario("other", "chain", {}, per_step, start={"pool": "wide"})
    alone = Scenario("alone", "chain", {}, per_step, apart="alone")
    groups = [[scenario.name for scenario in group] for _, group in by_start([first, other, second, alone])]
    assert groups == [["first", "second"], ["other"], ["alone"]]


def test_the_command_line_says_what_it_takes(capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for option in ("--rounds", "--quick", "--only", "--peers", "--json", "--plot"):
        assert option in told
    with pytest.raises(SystemExit) as refused:
        parser().parse_args(["--rounds", "0"])
    assert refused.value.code == 2
