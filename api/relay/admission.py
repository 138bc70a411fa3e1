"""Who may hold a connection: checked when it opens, when it subscribes, and for as long as it is open."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

import gevent

from api.auth.identity import bearer_token, identify
from api.refusal import Refusal
from api.relay.greenlets import spawn_vital
from api.relay.native import NativeDatabase, NativeThreads
from orchestration.errors import StoreUnavailable
from orchestration.ports import Actor

log = logging.getLogger(__name__)

RECHECK_S = 30.0
FRESH_S = 5.0
CONNECTIONS_PER_USER = 2000


@dataclass(frozen=True)
class Credentials:
    """What a client showed: a bearer token, or a session cookie where it showed none."""

    bearer: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, *, authorization: str | None, session: str | None, token: str | None = None) -> Credentials:
        """From the parts of a request; a token given by Socket.IO's `auth` goes before the header."""
        bearer = token if token is not None else bearer_token(authorization)
        return cls(bearer=bearer, session=session if bearer is None else None)


@dataclass(eq=False)
class Member:
    """An open connection. `drop` ends it; `is_gone` is set when its credentials no longer hold."""

    credentials: Credentials
    actor: Actor
    drop: Callable[[], None]
    checked_at: float = field(default_factory=monotonic)
    is_gone: bool = False

    def __post_init__(self) -> None:
        self.user = self.actor.name


class Admission:
    """The open connections and whose they are."""

    def __init__(self, database: NativeDatabase, threads: NativeThreads, *, recheck_s: float = RECHECK_S) -> None:
        self._database = database
        self._threads = threads
        self._recheck_s = recheck_s
        self._members: set[Member] = set()
        self._per_user: Counter[str] = Counter()
        self._rechecking = False

    @property
    def members(self) -> int:
        """How many connections are open."""
        return len(self._members)

    def identify(self, credentials: Credentials) -> Actor:
        """Who shows these credentials. Raises: Refusal (401) for nobody; StoreUnavailable."""
        actor = self._threads.run(self._ask, credentials)
        if actor is None:
            raise not_signed_in()
        return actor

    def enter(self, credentials: Credentials, drop: Callable[[], None] = lambda: None) -> Member:
        """Let a connection in. Raises: Refusal (401, or 429 for a user with too many); StoreUnavailable."""
        actor = self.identify(credentials)
        if self._per_user[actor.name] >= CONNECTIONS_PER_USER:
            raise Refusal(
                429,
                "too_many_connections",
                f"{actor.name} has {CONNECTIONS_PER_USER} connections open here",
                mend="close some of them",
            )
        member = Member(credentials, actor, drop)
        self._members.add(member)
        self._per_user[member.user] += 1
        if not self._rechecking:
            self._rechecking = True
            spawn_vital(self._recheck)
        return member

    def leave(self, member: Member) -> None:
        """The connection is closed."""
        if member in self._members:
            self._members.remove(member)
            self._per_user[member.user] -= 1

    def check(self, member: Member) -> None:
        """Make sure that the member's credentials hold now, give or take five seconds. Raises: as `identify`."""
        if member.is_gone:
            raise not_signed_in()
        if monotonic() - member.checked_at > FRESH_S:
            member.actor = self.identify(member.credentials)
            member.checked_at = monotonic()

    def _recheck(self) -> None:
        while True:
            gevent.sleep(self._recheck_s)
            for credentials in {member.credentials for member in self._members}:
                try:
                    self.identify(credentials)
                except StoreUnavailable:
                    break  # says nothing about anybody
                except Refusal:
                    self._drop(credentials)

    def _drop(self, credentials: Credentials) -> None:
        for member in [member for member in self._members if member.credentials == credentials]:
            log.info("connection dropped, its token or session is gone", extra={"actor": member.user})
            member.is_gone = True
            self.leave(member)
            member.drop()

    def _ask(self, credentials: Credentials) -> Actor | None:
        return identify(self._database, bearer=credentials.bearer, session=credentials.session)


def not_signed_in() -> Refusal:
    """The refusal of a client that is nobody."""
    return Refusal(
        401,
        "not_signed_in",
        "this needs a valid token or session",
        mend="send 'Authorization: Bearer <token>', or sign in at the web address",
        headers={"WWW-Authenticate": 'Bearer realm="perdure"'},
    )
