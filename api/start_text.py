"""From the text of a workflow, as people write and paste it, to the body of its start."""

from __future__ import annotations

from api.refusal import Refusal
from schemas.json import JsonObject
from schemas.yaml_text import Unreadable, read_workflow_text

MAX_VALUES = 200_000
"""Twenty for each step of the largest workflow; reading so many takes about a second."""


def workflow_of_text(text: str) -> JsonObject:
    """The workflow in YAML or JSON. Raises: Refusal (400) with the line and column of what cannot be read."""
    try:
        return read_workflow_text(text, max_values=MAX_VALUES)
    except Unreadable as error:
        raise Refusal(
            400,
            "malformed_yaml",
            error.detail,
            where=f"line {error.line}, column {error.column}",
            mend="mend the text there",
            line=error.line,
            column=error.column,
        ) from error
