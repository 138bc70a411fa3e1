"""What a claimed step must pass before its action runs: each gate answers admit, wait or refuse."""

from orchestration.gates.breaker import BreakerGate
from orchestration.gates.gate import Admit, Gate, GateRequest, Refuse, Verdict, Wait
from orchestration.gates.rate_limit import RateLimitGate

__all__ = ["Admit", "BreakerGate", "Gate", "GateRequest", "RateLimitGate", "Refuse", "Verdict", "Wait"]
