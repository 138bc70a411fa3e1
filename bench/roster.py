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
    return {peer.name: peer for peer in peers}
