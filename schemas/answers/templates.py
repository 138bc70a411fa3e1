"""What is answered of templates."""

from __future__ import annotations

from datetime import datetime

from schemas.answers.parts import Answer, Done, Part
from schemas.json import JsonObject


class TemplateHead(Part):
    """A template as a line of a list."""

    template_id: str
    name: str
    total_steps: int
    updated_by: str
    updated_at: datetime


class TemplatesAnswer(Answer):
    """A page of templates."""

    templates: list[TemplateHead]
    next: str | None


class TemplateShown(Part):
    """A template with its workflow."""

    template_id: str
    name: str
    workflow: JsonObject
    updated_by: str
    updated_at: datetime


class TemplateAnswer(Done):
    """One template."""

    template: TemplateShown
