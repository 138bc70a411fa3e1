"""Providers that speak OpenAI's chat completions over HTTP, through OpenAI's own client.

The client makes the request; the answer is read from its bytes (`asking.py`, `answers.py`) over connections that can be
cut (`wire.py`). It is imported by the first request: that takes a second, and most processes never ask a model.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from orchestration.actions.outcomes import Permanent
from orchestration.models.failures import Failures
from orchestration.models.port import Delta, ModelRequest, OnClose
from orchestration.redaction import Redactor
from schemas.model_providers import ProviderSpec

if TYPE_CHECKING:
    from openai import OpenAI


class SecretOf(Protocol):
    """Reads a secret by its name, for use with a host; `ActionContext.secret` is one. Raises: Permanent."""

    def __call__(self, name: str, *, host: str | None = None) -> str: ...


def no_secrets(name: str, *, host: str | None = None) -> str:
    """For who may look at models and ask none."""
    raise Permanent(f"the secret {name!r} cannot be read here")


class Endpoint:
    """A provider in this process: its settings, and one client with its pool of connections, made at first use."""

    def __init__(self, name: str, spec: ProviderSpec) -> None:
        self.name = name
        self.spec = spec
        self._lock = threading.Lock()
        self._client: OpenAI | None = None
        _endpoints.add(self)

    def client(self) -> OpenAI:
        """The client of this process. Any number of threads may use it at once."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._made()
        return self._client

    def prepare(self) -> None:
        """Import and make the client now."""
        self.client()

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def begin_anew(self) -> None:
        """After a fork: the connections are the parent's, whose answers they carry, and a lock may never be freed."""
        self._lock = threading.Lock()
        self._client = None

    def _made(self) -> OpenAI:
        import httpx2
        from openai import OpenAI

        from orchestration.models.wire import Transport

        for chatty in ("openai", "httpx2", "httpcore2"):  # they log each request, and what is asked in it
            logging.getLogger(chatty).setLevel(logging.WARNING)
        return OpenAI(
            base_url=self.spec.base_url,
            api_key="sent with each request",
            max_retries=0,  # ours are rows, which outlive the worker
            timeout=httpx2.Timeout(None, connect=self.spec.connect_s),
            http_client=httpx2.Client(transport=Transport(), trust_env=False, follow_redirects=False),
        )


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
        redactor = Redactor([secret for secret in (key, unquote(urlsplit(spec.base_url).password or "")) if secret])
        failures = Failures(f"{self.name}/{request.model}", redactor)
        client = self.endpoint.client()
        from orchestration.models.asking import Asking

        asking = Asking(client, spec, request, key, failures)
        on_close(asking.wire.cut)
        yield from asking.deltas()
