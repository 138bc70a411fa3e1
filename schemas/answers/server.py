"""What is answered of the server itself: its settings and its health."""

from __future__ import annotations

from typing import Literal

from schemas.answers.parts import Answer, Part


class StateBounds(Part):
    """What a state document holds at most."""

    max_bytes: int
    window_steps: int


class RelayShown(Part):
    """Where the live channel is; an empty `url`: under the same origin."""

    url: str
    port: int


class ConfigAnswer(Answer):
    """Settings of clients; times in seconds."""

    workflow_step_delay: float
    poll_interval: float
    max_history: int
    cleanup_delay: float
    max_steps: int
    schema_version: str
    state: StateBounds
    relay: RelayShown
    version: str


class LivenessAnswer(Part):
    """The process lives."""

    status: Literal["ok"]


class ReadinessAnswer(Part):
    """Whether requests can be served; the reason is in the log."""

    status: Literal["ready", "degraded", "unavailable", "not_migrated", "no_session_locks"]
