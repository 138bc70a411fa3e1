from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.requests import ControlRequest, ForkRequest, RunsQuery, SshRequest, StartRequest, StepRequest


def test_an_empty_body_is_a_control_of_the_current_run() -> None:
    assert ControlRequest.model_validate({"left_over": 1}).workflow_id is None
    assert StepRequest.model_validate({}).step is None


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (ControlRequest, {"workflow_id": "a b"}),
        (ControlRequest, {"workflow_id": ""}),
        (StepRequest, {"step": -1}),
        (StepRequest, {"step": ""}),
        (StepRequest, {"step": 1.5}),
        (ForkRequest, {}),
        (StartRequest, {"steps": "x"}),
        (StartRequest, {"steps": [1]}),
        (StartRequest, {"step_delay": -1}),
        (SshRequest, {"wait": 121}),
        (RunsQuery, {"status": ["ready"]}),
        (RunsQuery, {"limit": 201}),
    ],
)
def test_what_does_not_fit_is_refused(model: type[BaseModel], sent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(sent)


def test_a_step_is_named_by_key_or_index() -> None:
    assert StepRequest.model_validate({"step": "3"}).step == "3"
    assert StepRequest.model_validate({"step": 3}).step == 3


def test_a_start_gives_back_what_was_sent_and_nothing_else() -> None:
    sent = {"steps": [{"key": "a"}], "name": "x", "unknown": [1]}
    assert StartRequest.model_validate(sent).sent() == sent
