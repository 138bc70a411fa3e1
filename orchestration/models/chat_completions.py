"""Providers that speak OpenAI's chat completions over HTTP.

A request is one JSON document, and its answer is read from the bytes (`asking.py`, `answers.py`) over connections that
can be cut (`wire.py`). OpenAI's own client would take 16 ms to make a request, and several times longer for each piece
of an answer than reading it takes (docs/decisions/0037-providers-are-asked-over-bare-http.md).
"""

from __future__ import annotations

import os
import threading
import weakref
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from orchestration.actions.outcomes import Permanent
from orchestration.models.failures import Failures
from orchestration.models.port import Delta, ModelRequest, OnClose
from orchestration.redaction import Redactor
from schemas.model_providers import ProviderSpec

if TYPE_CHECKING:
    from orchestration.models.wire import Connections


class SecretOf(Protocol):
    """Reads a secret by its name, for use with a host; `ActionContext.secret` is one. Raises: Permanent."""

    def __call__(self, name: str, *, host: str | None = None) -> str: ...


def no_secrets(name: str, *, host: str | None = None) -> str:
    """For who may look at models and ask none."""
    raise Permanent(f"the secret {name!r} cannot be read here")


class Endpoint:
    """A provider in this process: its settings, and its pool of connections, made at first use."""

    def __init__(self, name: str, spec: ProviderSpec) -> None:
        self.name = name
        self.spec = spec
        self._lock = threading.Lock()
        self._connections: Connections | None = None
        _endpoints.add(self)

    def connections(self) -> Connections:
        """The pool of this process. Any number of threads may use it at once."""
        if self._connections is None:
            with self._lock:
                if self._connections is None:
                    from orchestration.models.wire import Connections

                    self._connections = Connections(self.spec.base_url, self.spec.connect_s)
        return self._connections

    def prepare(self) -> None:
        """Import and make it now."""
        self.connections()

    def close(self) -> None:
        """Close the connections."""
        connections, self._connections = self._connections, None
        if connections is not None:
            connections.close()

    def begin_anew(self) -> None:
        """After a fork: the connections are the parent's, whose answers they carry, and a lock may never be freed."""
        self._lock = threading.Lock()
        self._connections = None


# A child that was forked while another thread made a client.
_endpoints: weakref.WeakSet[Endpoint] = weakref.WeakSet()


def _begin_anew() -> None:
    for endpoint in _endpoints:
        endpoint.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)


@dataclass(frozen=True)
class KeyedEndpoint:
    """A provider with who may read its key."""

    endpoint: Endpoint
    secret_of: SecretOf

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def continues(self) -> bool:
        return self.endpoint.spec.continues != "none"

    def models(self) -> Sequence[str]:
        return self.endpoint.spec.models

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        """As of `LanguageModel`; ActionCancelled once it is closed. Its connection ends at once then."""
        spec = self.endpoint.spec
        key = self.secret_of(spec.secret, host=spec.host) if spec.secret else None
        url = urlsplit(spec.base_url)
        redactor = Redactor([secret for secret in (key, unquote(url.password or "")) if secret])
        failures = Failures(f"{self.name}/{request.model}", redactor)
        from orchestration.models.asking import Asking

        asking = Asking(self.endpoint.connections(), spec, request, _authorization(key, url), failures)
        on_close(asking.wire.cut)
        yield from asking.deltas()


def _authorization(key: str | None, url: SplitResult) -> str:
    """Who asks: by the key, else by the name and password of the URL."""
    if key:
        return f"Bearer {key}"
    if url.username is None:
        return ""
    named = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return f"Basic {b64encode(named.encode()).decode()}"
