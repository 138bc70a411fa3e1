"""What may leave a worker: outcomes without secrets, cut to a size."""

from __future__ import annotations

import pytest

from orchestration.core.decide import Cancelled, Failed, StepError, Succeeded
from orchestration.redaction import Redactor
from workers.runner import LONGEST_READ, MAX_MESSAGE, redacted

SECRET = "hunter2-and-more"


@pytest.mark.parametrize("before", ["x" * (MAX_MESSAGE - 8), "x" * (LONGEST_READ - 8), "x" * 5])
def test_no_half_of_a_secret_stands_where_a_message_is_cut(before: str) -> None:
    outcome = redacted(Failed(StepError("exception", before + SECRET * 5000)), Redactor([SECRET]))
    assert isinstance(outcome, Failed)
    assert "hunter" not in outcome.error.message
    assert "more" not in outcome.error.message.partition("[")[0]
    assert len(outcome.error.message) <= MAX_MESSAGE + 100


def test_results_details_and_added_steps_are_redacted() -> None:
    redactor = Redactor([SECRET])
    done = redacted(Succeeded({"token": SECRET}, {"steps": [{"key": "x", "params": {"url": SECRET}}]}), redactor)
    failed = redacted(Failed(StepError("permanent", "no", {"body": SECRET})), redactor)
    assert SECRET not in repr(done)
    assert SECRET not in repr(failed)
    assert "'key': 'x'" in repr(done)
    assert redacted(Cancelled(), redactor) == Cancelled()
