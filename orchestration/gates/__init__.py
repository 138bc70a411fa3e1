"""What a claimed step must pass before its action runs: each gate answers admit or wait."""

from orchestration.gates.breaker import BreakerGate
from orchestration.gates.gate import Admit, Gate, GateRequest, Verdict, Wait

__all__ = ["Admit", "BreakerGate", "Gate", "GateRequest", "Verdict", "Wait"]
