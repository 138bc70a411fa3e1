"""The OpenAPI document: what flask-openapi collects, with our problems and rights in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_openapi.openapi import OpenAPI

from schemas.statuses import Role

SECURITY_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "an access token"},
    "session": {"type": "apiKey", "in": "cookie", "name": "perdure_session_<port>", "description": "after sign-in"},
}
METHODS = ("get", "post", "put", "patch", "delete")


class Api(OpenAPI):
    """Adds to every operation who may call it and what its problems look like."""

    def generate_spec_json(self) -> None:
        """Make the document once."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        rights = self._rights()
        for path, item in self.spec_json["paths"].items():
            for method in METHODS:
                if method in item:
                    _complete(item[method], rights.get((method, path)))

    def _rights(self) -> dict[tuple[str, str], Role | None]:
        """The role each operation needs; None: public."""
        from api.auth.rights import required_role

        return {
            (method.lower(), _openapi_path(rule.rule)): required_role(self, rule.endpoint)
            for rule in self.url_map.iter_rules()
            for method in rule.methods or ()
        }


@dataclass(frozen=True)
class Endpoint:
    """One line of the API's page."""

    method: str
    path: str
    summary: str
    role: str


def endpoints_by_tag(document: dict[str, Any]) -> dict[str, list[Endpoint]]:
    """The operations of an OpenAPI document, grouped as they are tagged."""
    groups: dict[str, list[Endpoint]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                endpoint = Endpoint(
                    method.upper(), path, operation.get("summary", ""), operation.get("x-role", "everyone")
                )
                groups.setdefault((operation.get("tags") or ["Other"])[0], []).append(endpoint)
    return groups


def _openapi_path(rule: str) -> str:
    """`/ssh/<string:action>` as `/ssh/{action}`."""
    parts = []
    for part in rule.split("/"):
        inner = part.removeprefix("<").removesuffix(">")
        parts.append(part if inner == part else "{" + inner.rpartition(":")[2] + "}")
    return "/".join(parts)


def _complete(operation: dict[str, Any], role: Role | None) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if not any(status.startswith("2") for status in operation["responses"]):
        operation["responses"]["200"] = {"description": "Done; `success` is true"}
    # Our body is not the list of pydantic's errors that the library would describe.
    operation["responses"]["400"] = {"description": "The request does not fit", "content": problem}
    operation["responses"]["default"] = {"description": "A problem", "content": problem}
    operation["security"] = [] if role is None else [{"token": []}, {"session": []}]
    if role is not None:
        operation["x-role"] = str(role)
