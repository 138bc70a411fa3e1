"""Who may open an HTTP connection to the relay."""

from __future__ import annotations

from flask import request

from api.refusal import Refusal
from api.relay.admission import Admission, Credentials, Member


class Access:
    """Lets requests in by bearer token or session cookie, never by a token in the address."""

    def __init__(self, admission: Admission, *, cookie: str, origins: frozenset[str]) -> None:
        self._admission = admission
        self._cookie = cookie
        self._origins = origins

    def enter(self) -> Member:
        """Let the request at hand in; `leave` must follow. Raises: Refusal (401, 403, 429); StoreUnavailable."""
        origin = request.headers.get("Origin")
        if origin is not None and origin not in self._origins:
            raise Refusal(
                403,
                "foreign_origin",
                "pages of this origin may not use the relay",
                mend="add the page's origin to PERDURE_ALLOWED_ORIGINS",
            )
        credentials = Credentials.of(
            authorization=request.headers.get("Authorization"), session=request.cookies.get(self._cookie)
        )
        return self._admission.enter(credentials)

    def leave(self, member: Member) -> None:
        """The request is answered, or its connection closed."""
        self._admission.leave(member)
