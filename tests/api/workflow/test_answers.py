"""What each operation answers is what `/openapi.json` says of it: the page's types are made from that."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, RootModel

from api.openapi import METHODS
from api.openapi_document import document as openapi_document
from api.services import Services
from orchestration.actions.ssh.hostkeys import HostKey, host_name, pin
from orchestration.core.decide import Failed, Snoozed, StepError, Succeeded
from orchestration.engine.locks import Locks
from orchestration.gates.gate import GateRequest
from schemas import answers, progress, state
from schemas.answers import alerts, chat, metrics
from schemas.flow import LockSpec
from schemas.statuses import Role, WaitReason
from tests.api.workflow.conftest import SSH, Worker
from workers.session import WorkerSession

# The modules whose models describe answers.
PLACES = (
    *(import_module(f"{answers.__name__}.{found.name}") for found in iter_modules(answers.__path__)),
    state,
    progress,
)
# Bodies that no model describes: the document itself, and what Prometheus reads.
UNTYPED = {("get", "/openapi.json"), ("get", "/metrics")}
# Fields that some answers leave out; all others are always there.
LEFT_OUT = {
    "ArchivedAnswer.workflow_id", "Done.message", "ErrorShown.step", "SshActionAnswer.details", "SshActionAnswer.error",
    "SshActionAnswer.result", "StepOfPage.attempts", "StepResult.error", "StepState.made_by", "StepState.needs",
    "StepState.needs_total", "StepProgress.clipped", "StepProgress.items_total",
    "Progress.active_phase", "Progress.detail", "Progress.items", "Progress.message", "Progress.percent",
    "Progress.phases", "Item.detail", "Item.percent", "Item.state",
}  # fmt: skip
CHECKLIST = {
    "type": "checklist",
    "percent": 50.0,
    "message": "1 of 2",
    "detail": "2 MB of 4 MB",
    "items": [{"label": "first", "state": "completed", "percent": 100, "detail": "done"}, {"label": "second"}],
}
RESOURCES = {
    "wall_s": 1.5, "cpu_s": 0.25, "peak_memory_bytes": 1 << 20, "of": "thread", "estimated": True, "agent": "nlp",
    "sent_bytes": 10, "received_bytes": 300, "prompt_tokens": 20, "completion_tokens": 3,
}  # fmt: skip
TOO_LARGE = {"type": "checklist", "items": [{"label": f"{n:03} {'x' * 190}"} for n in range(900)]}
PHASES = {"type": "multi_phase", "phases": [{"label": "copy", "percent": 10}], "active_phase": 0}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def described(operation: dict[str, Any], status: int) -> type[BaseModel]:
    """The model that the document names for an answer."""
    schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
    return model_named(schema["$ref"].rpartition("/")[2])


def model_named(name: str) -> type[BaseModel]:
    """The model of this name. Raises: AttributeError when no module describes it."""
    for place in PLACES:
        model = getattr(place, name, None)
        if isinstance(model, type) and issubclass(model, BaseModel):
            return model
    raise AttributeError(name)


class Asking:
    """Calls operations, and holds each answer against its model: nothing more, nothing of another type."""

    def __init__(self, app: Flask) -> None:
        self.document = openapi_document()
        self.asked: set[tuple[str, str]] = set()
        self.seen: set[str] = set()
        self.left_out: set[str] = set()
        self._client = app.test_client()

    def sign_in(self, token: str) -> None:
        self._client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, status: int = 200, /, *, at: str = "", **sent: Any) -> Any:
        """Call an operation of the document; `at` fills the parameter of its path."""
        address = path.partition("{")[0] + at
        query = sent.pop("query", None)
        body = {"json": sent} if method != "get" else {}
        answer = self._client.open(address, method=method.upper(), query_string=query, **body)
        assert answer.status_code == status, answer.text
        model = described(self.document["paths"][path][method], status)
        self._note(model.model_validate_json(answer.data, extra="forbid", strict=True))
        self.asked.add((method, path))
        return answer.json

    def _note(self, value: Any) -> None:
        """Which fields were there and which were not, through and through."""
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                field = f"{_owner(type(value), name)}.{name}"
                there = isinstance(value, RootModel) or name in value.model_fields_set
                (self.seen if there else self.left_out).add(field)
                self._note(getattr(value, name))
        elif isinstance(value, list | tuple):
            for item in value:
                self._note(item)


def _owner(model: type[BaseModel], name: str) -> str:
    """The class that declares a field."""
    return next(base.__name__ for base in reversed(model.__mro__) if name in getattr(base, "model_fields", {}))


def fields_described(document: dict[str, Any]) -> set[str]:
    """The fields of the models that answers are made of."""
    return {
        f"{_owner(model, field)}.{field}"
        for name in document["components"]["schemas"]
        for place in PLACES
        if place not in (alerts, chat, metrics)
        if isinstance(model := getattr(place, name, None), type) and issubclass(model, BaseModel)
        for field in model.model_fields
    }


@pytest.fixture
def ask(app: Flask, token_of: Any) -> Asking:
    asking = Asking(app)
    asking.sign_in(token_of(Role.ADMIN))
    return asking


def steps(*keys: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"key": key, "action": "work", **fields} for key in keys]


def test_every_operation_says_what_it_answers() -> None:
    untyped = set()
    for method, path, operation in operations(openapi_document()):
        for status in (status for status in operation["responses"] if status.startswith("2")):
            try:
                described(operation, int(status))
            except (KeyError, AttributeError):
                untyped.add((method, path))
    assert untyped == UNTYPED


def test_every_answer_is_as_described(ask: Asking, services: Services, worker: Worker) -> None:
    sign_in_and_tokens(ask)
    runs(ask, worker)
    controls(ask, worker)
    templates_actions_and_hosts(ask, services)
    workers(ask, services, worker)
    ask("get", "/healthz")
    ask("get", "/readyz")
    ask("get", "/config/workflow")
    assert ask("get", "/audit", query={"limit": 5})["next"]

    everything = {(method, path) for method, path, _ in operations(ask.document)}
    # Held against their models in tests/api/metrics and tests/api/chat.
    elsewhere = {(method, path) for method, path in everything if path.startswith(("/api/orchestration", "/api/chat"))}
    assert ask.asked == everything - UNTYPED - elsewhere
    assert ask.left_out == LEFT_OUT
    assert fields_described(ask.document) <= ask.seen, "described, but no answer has it"


def sign_in_and_tokens(ask: Asking) -> None:
    secret = ask("post", "/auth/tokens", 201, name="other", role="admin", days=3)["token"]
    ask("get", "/auth/me")
    ask("get", "/auth/tokens")
    ask("post", "/auth/exchange", token=secret)
    code = ask("post", "/auth/code")["code"]
    ask("post", "/auth/exchange", code=code)
    session = ask("get", "/auth/sessions")["sessions"][0]["id"]
    ask("delete", "/auth/sessions/{session_id}", at=str(session))
    ask("post", "/auth/sign-out")
    ask("delete", "/auth/tokens/{name}", at="other")


def runs(ask: Asking, worker: Worker) -> None:
    ask("get", "/workflow/state")
    ask("get", "/workflow/state/summary")
    ask("delete", "/workflow/state")
    ask("post", "/workflow/start", workflow_id="one", name="One", steps=steps("a", "b", "c"), params={"x": 1}, ssh=SSH)
    ask("get", "/workflow/state", query={"workflow_id": "one"})
    worker.run("one", 0, Succeeded({"message": "did a", "details": {"n": [1, 2]}}))
    lease = worker.claim("one", 1)
    for shown in (CHECKLIST, TOO_LARGE, PHASES):
        worker.attempts.save_progress(lease, shown)
        ask("get", "/workflow/state", query={"workflow_id": "one"})
        ask("get", "/workflow/state/summary", query={"workflow_id": "one"})
        ask("get", "/workflow/runs")
    worker.attempts.save_log(lease, [(0, "info", "one\n"), (4, "warning", "two\n")])
    broken = Failed(StepError("broken", "it broke"), permanent=True)
    worker.attempts.commit(lease, broken, resources=RESOURCES)
    for path in ("/workflow/state", "/workflow/state/summary", "/workflow/steps", "/workflow/trace"):
        ask("get", path, query={"workflow_id": "one"})
    ask("get", "/workflow/durations", query={"workflow_id": "one"})
    ask("get", "/workflow/definition", query={"workflow_id": "one"})
    ask("post", "/workflow/read", text="steps:\n- {key: a, action: work}\n")
    ask("get", "/workflow/steps", query={"workflow_id": "one", "attempts": "1"})
    for key in "abc":
        ask("get", "/workflow/steps", query={"workflow_id": "one", "step": key})
    ask("get", "/workflow/logs", query={"workflow_id": "one", "step": "b"})
    ask("get", "/workflow/runs", query={"limit": 1})
    ask("get", "/workflow/runs/counts")
    ask("delete", "/workflow/state", workflow_id="one")


def controls(ask: Asking, worker: Worker) -> None:
    ask("post", "/workflow/retry", workflow_id="one", step="b")
    ask("post", "/workflow/pause", workflow_id="one")
    ask("post", "/workflow/resume", workflow_id="one")
    ask("post", "/workflow/skip", workflow_id="one", step="c")
    ask("post", "/workflow/stop", workflow_id="one")
    # One run at a time on a host.
    ask("post", "/workflow/restart", workflow_id="one", new_workflow_id="again")
    ask("post", "/workflow/stop", workflow_id="again")
    ask("post", "/workflow/fork", workflow_id="one", step="b", new_workflow_id="fork")
    ask("post", "/workflow/stop", workflow_id="fork")
    many = [{"workflow_id": f"many-{n}", "steps": steps("a")} for n in range(2)]
    ask("post", "/workflow/start/many", runs=many)
    ask("post", "/workflow/control/many", control="stop", workflow_ids=["many-0", "nobody"])
    waiting = [{"key": "approve", "action": "wait_for_signal"}]
    ask("post", "/workflow/start", workflow_id="asks", steps=waiting)
    worker.run("asks", 0, Snoozed(WaitReason.SIGNAL, None, message="asks you"))
    ask("get", "/workflow/state", query={"workflow_id": "asks"})
    ask("post", "/workflow/signal", workflow_id="asks", step="approve", payload={"ok": True})


def templates_actions_and_hosts(ask: Asking, services: Services) -> None:
    ask("put", "/workflow/templates/{template_id}", at="nightly", name="Nightly", steps=steps("a"))
    ask("get", "/workflow/templates/{template_id}", at="nightly")
    ask("get", "/workflow/templates")
    ask("get", "/workflow/actions")
    pin(services.settings.data_dir / "known_hosts", host_name("10.1.2.3", 2838), HostKey("ssh-ed25519", b"a key"))
    ask("get", "/hosts")
    ask("delete", "/hosts/{address}", at="10.1.2.3:2838")
    ask("post", "/ssh/{action}", 202, at="test-ssh", ssh_connection=SSH, workflow_id="ssh", wait=0)
    ask("post", "/workflow/stop", workflow_id="ssh")
    ask("post", "/ssh/{action}", at="test-ssh", ssh_connection=SSH, workflow_id="ssh", wait=0)


def workers(ask: Asking, services: Services, worker: Worker) -> None:
    declared = {"pool": "threads", "concurrency": 16, "queues": ["default"]}
    session = WorkerSession(services.settings.database_url, "w1", "io@box", 4711, declared)
    session.ensure()
    ask("post", "/workflow/start", workflow_id="held", steps=steps("a"))
    worker.claim("held")
    ask("get", "/workflow/workers")
    session.drop()
    wants = GateRequest("step", 5, 60, locks=(LockSpec(name="file:/x"),))
    for run_id in ("holds", "waits"):
        ask("post", "/workflow/start", workflow_id=run_id, steps=steps("a"))
        Locks(worker.attempts).acquire(worker.claim(run_id), wants)
    ask("get", "/workflow/state", query={"workflow_id": "waits"})
