"""What all actions on hosts declare alike."""

from __future__ import annotations

from schemas.retry import RetryPolicy

# A link that flaps must not use up the step: five failures, up to half a minute apart.
RETRY = RetryPolicy(max_attempts=5, base_delay_s=1, max_delay_s=30, jitter=0.2)
