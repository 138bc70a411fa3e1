"""Spans on their way out of a process, and what traces cost where they are off."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanContext, TraceFlags

import tracing_export
from logs import trace_id_of
from orchestration.redaction import Redactor
from settings import ROOT, load_settings
from tests.support.collector import Collector
from tracing import make_tracing, span_id_of
from tracing_export import Export, clean
from tracing_otel import Tracing, context_of, failed, sent_context


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def span(number: int) -> ReadableSpan:
    return ReadableSpan(f"s{number}", SpanContext(1, number, False, TraceFlags(1)), start_time=1, end_time=2)


def imported(code: str, endpoint: str) -> subprocess.CompletedProcess[str]:
    """What of traces a web process and a worker have imported once they are made."""
    code += """
import sys, workers.celery, api.wsgi
parts = ("tracing_otel", "opentelemetry.exporter", "google.protobuf")
print(*(name for name in parts if name in sys.modules))
"""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PERDURE_")},
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "PYTHONPATH": str(ROOT),
    }
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    return said


# The client of Valkey looks by itself for the part that counts, where it is installed.
@pytest.mark.parametrize(
    ("endpoint", "found"),
    [("", ""), ("http://127.0.0.1:9", "tracing_otel opentelemetry.exporter google.protobuf")],
)
def test_nothing_of_traces_is_imported_unless_an_endpoint_is_set(endpoint: str, found: str) -> None:
    assert imported("", endpoint).stdout.strip() == found


def test_without_the_packages_there_are_no_traces_and_all_else_works() -> None:
    block = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
    said = imported(block, "http://127.0.0.1:9")
    assert said.stdout.strip() == ""
    assert "no traces: opentelemetry is missing; pip install 'perdure[otel]'" in said.stderr


def test_the_standard_variables_set_it_and_our_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318")
    assert load_settings(attach=False).otel_endpoint == "http://a:4318"
    monkeypatch.setenv("PERDURE_OTEL_ENDPOINT", "http://user:open-sesame@b:4318")
    settings = load_settings(attach=False)
    assert settings.otel_endpoint == "http://user:open-sesame@b:4318"
    assert "open-sesame" in settings.own_secrets()
    assert "open-sesame" not in repr(settings)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert make_tracing(settings.otel_endpoint, "web") is None


def test_ids_are_the_same_in_every_process() -> None:
    context = context_of("nightly-1", "start")
    assert f"{context.trace_id:032x}" == trace_id_of("nightly-1")
    # Written down: processes of two releases must agree during an upgrade.
    assert f"{span_id_of('nightly-1', 'start'):016x}" == "55a65aa70dbc5884"
    assert span_id_of("nightly-1", "request") != span_id_of("nightly-1", "start") != span_id_of("nightly-2", "start")


def test_spans_arrive_and_are_counted(collector: Collector) -> None:
    export = Export(f"{collector.url}/v1/traces")
    for number in range(1, 1301):
        export.on_end(span(number))
    assert export.force_flush(10_000)
    assert (export.exported, export.dropped) == (1300, 0)
    assert {int(seen.span_id, 16) for seen in collector.spans()} == set(range(1, 1301))


def test_what_nobody_takes_is_dropped_and_counted_and_said_once(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing_export, "TIMEOUT_S", 0.2)
    caplog.set_level(logging.INFO)
    export = Export(f"{collector.url}/nowhere")
    for number in (1, 2, 3):
        export.on_end(span(number))
        assert export.force_flush(10_000)
    assert (export.exported, export.dropped) == (0, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "404" in caplog.text


def test_a_collector_that_hangs_fills_no_memory_and_makes_nobody_wait(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing_export, "MAX_WAITING", 100)
    collector.answers.clear()
    export = Export(f"{collector.url}/v1/traces")
    export.on_end(span(1))
    # The one batch is under way.
    assert not export.force_flush(100)
    assert collector.asked.wait(10)
    for number in range(2, 1002):
        export.on_end(span(number))
    assert export.dropped == 900
    collector.answers.set()
    assert export.force_flush(10_000)
    assert (export.exported, export.dropped) == (101, 900)


def test_a_forked_child_exports_by_itself_and_leaves_its_parents_spans_alone(collector: Collector) -> None:
    export = Export(f"{collector.url}/v1/traces")
    export.on_end(span(1))
    assert export.force_flush(10_000)
    child = os.fork()
    if child == 0:
        export.on_end(span(2))
        os._exit(0 if export.force_flush(10_000) and export.exported == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    export.on_end(span(3))
    assert export.force_flush(10_000)
    assert sorted(seen.name for seen in collector.spans()) == ["s1", "s2", "s3"]


def test_a_share_of_the_runs_is_traced_the_same_everywhere(collector: Collector) -> None:
    web, worker = (Tracing(collector.url, service, sample=0.5) for service in ("web", "worker"))
    runs = [f"r{number}" for number in range(200)]
    for run_id in runs:
        web.started([run_id], 1, 2)
        worker.span("attempt", run_id).end()
    assert web.flush(10)
    assert worker.flush(10)
    of_web, of_worker = (
        {s.trace_id for s in collector.spans() if s.service == f"perdure-{n}"} for n in ("web", "worker")
    )
    assert of_web == of_worker
    assert 60 < len(of_web) < 140


def test_secrets_are_taken_out_of_names_attributes_events_and_errors() -> None:
    secret = "swordfish-and-chips"
    made = TracerProvider().get_tracer("t").start_span(f"get {secret}", attributes={"url": f"x/{secret}", "n": 1})
    failed(made, "denied", f"not with {secret}")
    try:
        raise ValueError(secret)
    except ValueError as error:
        made.record_exception(error)
    made.end()
    assert isinstance(made, ReadableSpan)
    assert secret in made.to_json()
    shown = clean(made, Redactor([secret]))
    assert secret not in shown.to_json()
    assert (shown.name, shown.attributes) == ("get [redacted]", {"url": "x/[redacted]", "n": 1})
    assert shown.status.description == "denied: not with [redacted]"


@pytest.mark.parametrize("sent", ["", "00-0-0-0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ff-x"])
def test_a_context_that_cannot_be_read_is_none(sent: str) -> None:
    assert sent_context({"traceparent": sent}) is None
