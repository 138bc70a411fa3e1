"""Workflows kept under a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.ports import Actor
from orchestration.store.database import Database, as_jsonb
from schemas.json import JsonObject

_COLUMNS = "id, name, workflow, updated_by, wire_time(updated_at)"


@dataclass(frozen=True)
class Template:
    """A kept workflow, in the form in which a start takes it."""

    id: str
    name: str
    workflow: JsonObject
    updated_by: str
    updated_at: str

    def as_json(self) -> JsonObject:
        """All of it."""
        return {
            "template_id": self.id,
            "name": self.name,
            "workflow": self.workflow,
            "updated_by": self.updated_by,
            "updated_at": self.updated_at,
        }


@dataclass(frozen=True)
class TemplatePage:
    """Templates in the order of their ids, each with the number of its steps. `next` continues, None at the end."""

    templates: list[JsonObject]
    next: str | None


class Templates:
    """The templates of one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, template_id: str) -> Template | None:
        """The template; None when there is none of this id."""
        return self.find_all([template_id]).get(template_id)

    def find_all(self, template_ids: Iterable[str]) -> dict[str, Template]:
        """Those of these templates that there are."""
        ids = sorted(set(template_ids))
        rows = self.database.rows(f"SELECT {_COLUMNS} FROM templates WHERE id = ANY(%s)", ids) if ids else []
        return {row[0]: Template(*row) for row in rows}

    def page(self, after: str | None, limit: int) -> TemplatePage:
        """A page of the templates without their steps."""
        rows = self.database.rows(
            "SELECT id, name, jsonb_array_length(workflow -> 'steps'), updated_by, wire_time(updated_at) "
            "FROM templates WHERE id > %s ORDER BY id LIMIT %s",
            after or "",
            limit + 1,
        )
        names = ("template_id", "name", "total_steps", "updated_by", "updated_at")
        found = [dict(zip(names, row, strict=True)) for row in rows[:limit]]
        return TemplatePage(found, found[-1]["template_id"] if len(rows) > limit else None)

    def put(self, template_id: str, name: str, workflow: JsonObject, actor: Actor) -> Template:
        """Keep a workflow under an id, in place of what was there."""
        rows = self.database.rows(
            "INSERT INTO templates VALUES (%s, %s, %s, %s, clock_now()) ON CONFLICT (id) DO UPDATE SET "
            "name = excluded.name, workflow = excluded.workflow, updated_by = excluded.updated_by, "
            f"updated_at = excluded.updated_at RETURNING {_COLUMNS}",
            template_id,
            name,
            as_jsonb(workflow),
            actor.name,
        )
        return Template(*rows[0])
