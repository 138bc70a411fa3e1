"""Progress of a step: simple, percentage, checklist or multi-phase."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ItemState = Literal["pending", "active", "completed", "failed"]


class Item(BaseModel):
    """One line of a checklist."""

    model_config = ConfigDict(frozen=True)
    label: str = Field(max_length=200)
    state: ItemState = "pending"
    percent: float | None = Field(None, ge=0, le=100)
    detail: str | None = Field(None, max_length=500)


class Phase(BaseModel):
    """One phase of a multi-phase step."""

    model_config = ConfigDict(frozen=True)
    label: str = Field(max_length=200)
    percent: float | None = Field(None, ge=0, le=100)


class Progress(BaseModel):
    """How far an attempt is. `type` says which fields carry it."""

    model_config = ConfigDict(frozen=True)
    type: Literal["simple", "percentage", "checklist", "multi_phase"] = "simple"
    percent: float | None = Field(None, ge=0, le=100)
    message: str | None = Field(None, max_length=1000)
    detail: str | None = Field(None, max_length=2000)
    items: tuple[Item, ...] | None = None
    phases: tuple[Phase, ...] | None = None
    active_phase: int | None = Field(None, ge=0, description="index of the phase in hand")
