"""What all answers are made of. Fields that a later version adds are let through."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base of what is inside answers."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Answer(Part):
    """Base of answers. Problems carry `success: false`."""

    success: Literal[True] = True


class Done(Answer):
    """Something was done."""

    message: str | None = None
