"""What wire models are made of: their strictness, and the forms of the names in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
ACTION_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"

StepKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
ActionName = Annotated[str, StringConstraints(pattern=ACTION_PATTERN, max_length=100)]


class Strict(BaseModel):
    """Base of all wire models: immutable, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
