"""`chat.generate` with a model made for the test: going on, beginning anew, cancels, odd texts, quorums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestration.actions.context import ActionContext, CancelToken
from orchestration.actions.outcomes import ActionCancelled, Permanent, Result, Retryable
from orchestration.actions.registry import load_actions
from orchestration.chat.generate import AGENT_FAILED, GenerateParams, Proposal, generate, headline, usable_proposals
from orchestration.errors import TooLarge
from orchestration.models.port import Delta
from schemas.chat import Usage
from tests.support.action_context import RecordingServices, make_context
from tests.support.scripted_model import END, ScriptedModel


def run(
    model: ScriptedModel, services: RecordingServices | None = None, *, filters: Sequence[str] = (), **context: Any
) -> Result:
    params = GenerateParams.model_validate(
        {"model": "t/m", "request": {"messages": [{"role": "user", "content": "hi"}], "filters": filters}}
    )
    result = generate(make(model, services, **context), params)
    assert isinstance(result, Result)
    return result


def make(
    model: ScriptedModel, services: RecordingServices | None = None, until: str = "", **context: Any
) -> ActionContext:
    made = make_context(services, settings={"models": model}, **context)
    return ActionContext(**{**vars(made), "written_until": until})


def deltas(*texts: str) -> list[Delta]:
    return [*(Delta(text) for text in texts), END]


def test_each_delta_is_written_as_it_comes() -> None:
    services = RecordingServices()
    result = run(ScriptedModel(*deltas("Hello ", "world")), services)
    assert services.pieces == ["Hello ", "world"]
    assert result.message == "Hello world"
    details = result.details
    assert (details["text"], details["model"], details["finish_reason"]) == ("Hello world", "t/m", "stop")
    assert details["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "estimated": False}


def test_a_model_that_thinks_is_said_to_until_it_writes() -> None:
    services = RecordingServices()
    result = run(ScriptedModel(Delta(is_thinking=True), *deltas("Hello ", "world")), services)
    assert [progress.message for progress in services.said] == ["Thinking", "Writing"]
    assert (result.message, services.pieces) == ("Hello world", ["Hello ", "world"])
    services = RecordingServices()
    run(ScriptedModel(*deltas("Hello")), services)
    assert services.said == []


def test_a_lost_answer_goes_on_where_it_was_stored_if_the_model_can() -> None:
    services = RecordingServices()
    model = ScriptedModel(*deltas("world"), continues=True)
    result = run(model, services, attempt=2, written="Hello ", until="lost")
    assert model.asked[0].prefix == "Hello "
    # The beginning is said again, since readers may have seen more than was stored.
    assert services.pieces == ["Hello ", "world"]
    assert result.details["text"] == "Hello world"
    assert result.details["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "estimated": True}


@pytest.mark.parametrize("written", ["Hello ", ""])
def test_it_goes_on_from_what_readers_have_heard_rather_than_from_what_was_stored(written: str) -> None:
    services = RecordingServices(text="Hello my wor", heard_before="Hello my wor")
    model = ScriptedModel(*deltas("ld"), continues=True)
    result = run(model, services, attempt=2, written=written, until="lost")
    assert model.asked[0].prefix == "Hello my wor"
    assert services.pieces == ["Hello my wor", "ld"]
    assert result.details["text"] == "Hello my world"
    # A model that cannot go on begins anew, whatever was heard.
    run(ScriptedModel(*deltas("Hi")), services, attempt=2, written=written, until="lost")
    assert services.text == "Hi"


@pytest.mark.parametrize(
    ("continues", "until", "filters"),
    [
        (False, "lost", ()),
        (True, "model.malformed", ()),
        (True, "chat.filter_failed", ()),
        (True, "lost", ("mask_emails",)),
    ],
)
def test_otherwise_it_begins_anew_and_says_so(continues: bool, until: str, filters: tuple[str, ...]) -> None:
    services = RecordingServices()
    model = ScriptedModel(*deltas("Hello again"), continues=continues)
    result = run(model, services, filters=filters, attempt=2, written="Hello ", until=until)
    assert model.asked[0].prefix == ""
    assert services.pieces[0] == ""
    assert services.text == result.details["text"] == "Hello again"


def test_a_later_attempt_takes_back_what_was_shown_and_never_stored() -> None:
    services = RecordingServices(text="shown, not stored")
    run(ScriptedModel(*deltas("all")), services, attempt=2)
    assert services.text == "all"


def test_an_answer_that_ends_without_saying_so_is_asked_for_again() -> None:
    with pytest.raises(Retryable) as raised:
        run(ScriptedModel(Delta("half an")))
    assert raised.value.code == "model.cut_off"


@pytest.mark.parametrize("how", ["quietly", "loudly"])
def test_a_cancelled_answer_is_no_success_however_the_provider_takes_it(how: str) -> None:
    token, services = CancelToken(), RecordingServices()
    ends = [] if how == "quietly" else [OSError("closed")]
    model = ScriptedModel(Delta("Hello"), lambda: token.cancel("stop"), *ends)
    with pytest.raises(ActionCancelled):
        run(model, services, token=token)
    assert services.text == "Hello"
    assert model.closed == 1


def test_the_provider_is_let_go_when_the_answer_is_too_long() -> None:
    class Small(RecordingServices):
        def write(self, text: str) -> None:
            if len(self.text) + len(text) > 10:
                raise TooLarge("more than 10")
            super().write(text)

    services, model = Small(), ScriptedModel(*deltas("12345", "67890", "more", "and more"))
    result = run(model, services)
    assert (services.text, result.details["text"]) == ("1234567890", "1234567890")
    assert result.details["finish_reason"] == "length"
    assert model.closed == 1


def test_what_a_provider_raises_by_mistake_is_for_the_log_alone() -> None:
    services = RecordingServices()
    with pytest.raises(Retryable) as raised:
        run(ScriptedModel(Delta("a"), RuntimeError("/srv/key sk-123")), services)
    assert raised.value.code == "model.failed"
    assert "sk-123" not in raised.value.reason
    assert "RuntimeError: /srv/key sk-123" in services.log_text


def test_a_character_that_was_cut_in_two_is_joined() -> None:
    services = RecordingServices()
    result = run(ScriptedModel(*deltas("a\ud83d", "\ude00b", "\x00")), services)
    assert services.text == result.details["text"] == "a\U0001f600b\ufffd"


def test_an_empty_answer_is_one() -> None:
    result = run(ScriptedModel(END))
    assert (result.message, result.details["text"]) == ("", "")
    assert result.details["timings"]["first_token_ms"] is None


def test_long_answers_are_named_by_their_first_words() -> None:
    assert headline("one\n\ntwo") == "one two"
    assert len(headline("word " * 100)) <= 120
    assert headline("word " * 100).endswith("word…")


def proposals(*texts: str | None, quorum: int = 1) -> GenerateParams:
    return GenerateParams.model_validate(
        {
            "model": "t/m",
            "request": {"messages": [{"role": "user", "content": "hi"}]},
            "proposals": [{"model": "t/m", "text": text} for text in texts],
            "quorum": quorum,
        }
    )


def test_failed_and_empty_proposals_are_left_out() -> None:
    assert usable_proposals(make_context(), proposals("one", None, "  ", "two")) == ["one", "two"]
    assert usable_proposals(make_context(), proposals()) == []


def test_proposals_are_read_from_the_steps_that_wrote_them() -> None:
    results = {"a": {"message": "", "details": {"text": "one"}}, "b": None}
    ctx = ActionContext(**{**vars(make_context()), "results": results})
    params = proposals("zero").model_copy(
        update={"proposals": tuple(Proposal(model="t/m", step=key) for key in ("a", "b"))}
    )
    assert usable_proposals(ctx, params) == ["one"]


def test_a_quorum_that_is_not_met_says_how_many_answered() -> None:
    with pytest.raises(Permanent, match="1 of 3 agents answered, and the mixture needs 2") as raised:
        usable_proposals(make_context(), proposals("one", None, "", quorum=2))
    assert raised.value.code == "chat.quorum"


def aggregate(model: ScriptedModel, kept: Any, *texts: str) -> tuple[Result, RecordingServices]:
    services = RecordingServices(text="as it was")
    ctx = make_context(services, settings={"models": model}, attempt=2, kept=kept)
    result = generate(ctx, proposals(*texts))
    assert isinstance(result, Result)
    return result, services


def test_an_answer_made_of_the_same_proposals_is_left_as_it_is() -> None:
    model = ScriptedModel(*deltas("made of ", "two"))
    first, _ = aggregate(model, None, "one", "two")
    kept = {"message": first.message, "details": first.details}
    again, services = aggregate(model, kept, "one", "two")
    assert again == first
    assert len(model.asked) == 1, "nobody was asked"
    assert services.pieces == []
    assert services.text == "as it was"


@pytest.mark.parametrize("texts", [("one", "other"), ("one",), ("on", "etwo"), ("two", "one")])
def test_made_of_others_it_is_written_anew_and_stands_until_the_first_word(texts: tuple[str, ...]) -> None:
    first, _ = aggregate(ScriptedModel(*deltas("made of two")), None, "one", "two")
    kept = {"message": first.message, "details": first.details}
    again, services = aggregate(ScriptedModel(*deltas("made ", "anew")), kept, *texts)
    assert again.details["text"] == "made anew"
    assert services.pieces == ["made ", "anew"], "not emptied before"


def test_an_answer_of_which_nothing_says_what_it_was_made_of_is_written_anew() -> None:
    again, _ = aggregate(ScriptedModel(*deltas("anew")), {"message": "", "details": {"text": "before"}}, "one")
    assert again.details["text"] == "anew"


def test_the_action_is_declared_as_it_is_relied_upon() -> None:
    declared = load_actions()["chat.generate"]
    assert (declared.idempotent, declared.timeout_s, declared.queue) == (True, 600, "default")
    assert (declared.retry.max_attempts, declared.retry.base_delay_s, declared.retry.max_delay_s) == (3, 1, 30)
    assert declared.flow is not None
    flow = declared.flow(proposals("one"), None)
    assert flow is not None
    assert flow.breaker is not None
    assert (flow.breaker.name, flow.rate_limits[0].name) == ("model:t", "model:t")
    assert declared.failure_notice is not None
    assert declared.failure_notice({"part": "proposal"}) == AGENT_FAILED
    assert declared.failure_notice({"part": "answer"}) is None


@pytest.mark.parametrize("tokens", [-1, 10**30])
def test_usage_that_cannot_be_is_estimated_whichever_model_gave_it(tokens: int) -> None:
    services = RecordingServices()
    usage = Usage(prompt_tokens=tokens, completion_tokens=2)
    details = run(ScriptedModel(Delta("Some words"), Delta(finish_reason="stop", usage=usage)), services).details
    assert details is not None
    assert details["usage"]["estimated"] is True
    assert 0 < details["usage"]["prompt_tokens"] < 100
    assert services.tokens == [(details["usage"]["prompt_tokens"], details["usage"]["completion_tokens"])]
