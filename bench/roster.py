"""Who takes part."""

from __future__ import annotations

from bench.driver import THIS_PYTHON, PeerSpec
from settings import Settings

BASELINE = "celery"


def _perdure(name: str, title: str, handover_ms: int) -> PeerSpec:
    environment = {"PERDURE_ACTIONS": "bench.actions"}
    if can_hand_over():
        environment["PERDURE_HANDOVER_MS"] = str(handover_ms)
    return PeerSpec(name, title, "bench.peers.perdure_peer", THIS_PYTHON, environment)


def can_hand_over() -> bool:
    """Whether this version can claim the next step in the commit of the one before."""
    return "handover_ms" in Settings.model_fields


def roster() -> dict[str, PeerSpec]:
    """All peers by name, in the order of the table."""
    peers = [PeerSpec("celery", "Celery alone", "bench.peers.celery_raw")]
    peers.append(_perdure("perdure", "Perdure, one task a step", 0))
    if can_hand_over():
        peers.append(_perdure("perdure-handover", "Perdure, handed over", 100))
    peers += [
        PeerSpec("dbos", "DBOS", "bench.peers.dbos_peer"),
        PeerSpec(
            "procrastinate",
            "procrastinate",
            "bench.peers.procrastinate_peer",
            remark="has no chains: each job defers its successor before it ends",
        ),
        PeerSpec(
            "prefect",
            "Prefect",
            "bench.peers.prefect_peer",
            scenarios=frozenset({"chain-100", "chain-100-1kB", "chain-20-50ms", "throughput", "fan-100"}),
            rounds=2,
            remark="chains of 50 in place of 100, 10 runs in place of 300, in two rounds at most: it is slow",
        ),
    ]
    late = PeerSpec(
        "celery-late",
        "Celery, late acknowledgement",
        "bench.peers.celery_raw",
        environment={"BENCH_ACKS_LATE": "1"},
        scenarios=frozenset({"recovery-child", "recovery-worker", "recovery-valkey"}),
        remark="takes messages for lost after 10 s and looks every second; Celery's own: an hour and 100 s",
    )
    peers.append(late)
    return {peer.name: peer for peer in peers}
