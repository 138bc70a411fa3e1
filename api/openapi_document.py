"""Print the OpenAPI document, from which the page's types are made: `python -m api.openapi_document`."""

from __future__ import annotations

import json
import sys
from typing import Any

from api.app import create_app
from api.services import build_services
from settings import Settings


def document() -> dict[str, Any]:
    """The document of this version. Opens no connection."""
    app = create_app(build_services(Settings(database_url="postgresql://nowhere", redis_url="redis://nowhere")))
    return _for_types(app.api_doc)


def _for_types(node: dict[str, Any]) -> dict[str, Any]:
    """The same without `additionalProperties: true`: a misspelt field shall be an error in the page."""
    return {
        name: _part_for_types(part)
        for name, part in node.items()
        if not (name == "additionalProperties" and part is True and "properties" in node)
    }


def _part_for_types(part: Any) -> Any:
    if isinstance(part, dict):
        return _for_types(part)
    return [_part_for_types(item) for item in part] if isinstance(part, list) else part


def main() -> None:
    """Print it. The version is what tools for 3.1 read; nothing that is new in 3.2 is used."""
    json.dump(document() | {"openapi": "3.1.0"}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
