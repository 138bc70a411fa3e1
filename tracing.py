"""Traces by OpenTelemetry. Off unless an endpoint is set, and then nothing of OpenTelemetry is imported.

One trace a run. Its id, and those of its first two spans, are made from the run's id: messages and rows carry nothing,
every process knows where its spans belong, and the trace is the one that the log names.
"""

from __future__ import annotations

import hashlib
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracing_otel import Tracing

log = logging.getLogger("perdure.tracing")


def make_tracing(endpoint: str, service: str, *, sample: float = 1.0, is_global: bool = False) -> Tracing | None:
    """The spans of this process; None when they are off or OpenTelemetry is not installed, which is logged.

    endpoint: base URL of an OTLP/HTTP collector; empty: off. service: its last word, `web` or `worker`.
    sample: share of the runs that are traced. is_global: spans that actions make themselves belong to it as well.
    """
    if not endpoint or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    try:
        from tracing_otel import Tracing
    except ImportError as error:
        log.warning("no traces: %s is missing; pip install 'perdure[otel]'", error.name)
        return None
    return Tracing(endpoint, service, sample=sample, is_global=is_global)


def span_id_of(run_id: str, span: str) -> int:
    """The id of a span that every process can name: `request` and `start` of a run."""
    text = f"{span}\0{run_id}".encode("utf-8", "surrogatepass")
    # 0 is no span.
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) or 1
