"""How a request is refused before any use case is called."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.json import Json


class Refusal(Exception):
    """Answered as a problem with this status, and with `extra` fields; see api/errors.py."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        where: str | None = None,
        mend: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: Json,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.where = where
        self.mend = mend
        self.headers = dict(headers or {})
        self.extra = extra
