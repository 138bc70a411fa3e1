"""docs/writing-actions.md says what is true: its code runs, its workflows can be started."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.actions import Expand, Permanent, Result, Retryable, registry
from orchestration.actions.testing import Recorder, make_context
from orchestration.engine.planning import plan_workflow
from orchestration.secrets import SecretPolicy
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec

PAGE = Path(__file__).parents[3] / "docs" / "writing-actions.md"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page() -> Iterator[dict[str, Any]]:
    """The names that the page's code defines, run from top to bottom; its actions are forgotten afterwards."""
    names: dict[str, Any] = {"__name__": "docs_writing_actions"}
    for number, code in enumerate(snippets("python")):
        exec(compile(code, f"{PAGE.name}, block {number + 1}", "exec", dont_inherit=True), names)
    yield names
    for known in (registry._actions, registry._callables):
        for name in [name for name in known if name.startswith("shop.")]:
            del known[name]


def test_page_has_code_workflows_and_tests(page):
    assert len(snippets("python")) >= 10
    assert len(snippets("yaml")) >= 3
    assert len([name for name in page if name.startswith("test_")]) >= 4


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", PAGE.read_text(), re.MULTILINE))
def test_tests_on_the_page_pass(page, name):
    page[name]()


@pytest.mark.parametrize("text", snippets("yaml"))
def test_workflows_on_the_page_can_be_started(page, text):
    workflow = WorkflowSpec.model_validate(yaml.safe_load(text))
    rows = plan_workflow(workflow, registry.load_actions(), Role.OPERATOR)
    assert len(rows) == len(workflow.steps)


@pytest.mark.parametrize("text", snippets("json"))
def test_policies_on_the_page_are_policies(text):
    assert SecretPolicy.model_validate_json(text).actions


def test_each_kind_of_progress_is_what_the_page_calls_it(page):
    recorder = Recorder()
    assert page["show_progress"](make_context(recorder), page["NoParams"]()) == Result("all shown", {"kinds": 4})
    kinds = [progress.type for progress in recorder.progress_seen]
    assert kinds == ["simple", "percentage", "checklist", "multi_phase"]
    assert recorder.pieces[1] == ("something odd\n", "warning")


def test_listener_receives_and_obeys_a_stop(page, eventually):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    params = page["ListenParams"](port=port, every_s=0.01)

    def send() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"hi")
        except ConnectionRefusedError:
            return False
        return True

    threading.Thread(target=eventually, args=(send,)).start()
    assert page["listen"](make_context(), params) == {"received": b"hi"}
    ctx = make_context()
    threading.Timer(0.2, ctx.token.cancel, ("stop",)).start()
    with pytest.raises(Exception, match="stop"):
        page["listen"](ctx, params)


def test_errors_are_those_the_page_names(page):
    seen = set()
    for _ in range(100):
        try:
            seen.add(type(page["ask_stock"](make_context(), page["NoParams"]())))
        except (Retryable, Permanent) as error:
            seen.add(type(error))
    assert seen == {dict, Retryable, Permanent}


def test_charge_happens_once_over_attempts(page):
    params = page["ChargeParams"](cents=500)
    for attempt in (1, 2):
        assert page["charge"](make_context(attempt=attempt, step_key="pay"), params) == {"charged": 500}
    assert page["charged"] == {"run-1/pay": 500}


def test_expansion_adds_steps_that_can_be_planned(page):
    expanded = page["pack_all"](make_context(), page["FanOutParams"](folders=["/a", "/b"]))
    assert isinstance(expanded, Expand)
    workflow = WorkflowSpec(steps=tuple(expanded.steps))
    rows = plan_workflow(workflow, registry.load_actions(), Role.OPERATOR)
    assert [row["status"] for row in rows] == ["ready", "ready"]


def test_callable_is_called_by_name(page):
    recorder = Recorder()
    call = registry.load_actions()["python.call"]
    params = call.params.model_validate({"function": "shop.discount", "args": [1000], "kwargs": {"percent": 25}})
    assert call.function(make_context(recorder), params) == {"result": 750}
    assert recorder.log_text == "25 % off\n"
