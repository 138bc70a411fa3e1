"""What the demo can show."""

from __future__ import annotations

from enum import StrEnum


class Scenario(StrEnum):
    """What the demo shows."""

    PROVISION = "provision"
    FLOW = "flow"
    CHAT = "chat"
