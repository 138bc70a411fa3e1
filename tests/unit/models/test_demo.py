import dataclasses
import queue
import threading

import pytest

from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.models.demo import BREAKS_OFF_AFTER, MODELS, DemoModels, answer_text, tokens_of
from orchestration.models.port import ModelRequest
from schemas.chat import ContextMessage, ModelParameters

ASKED = (ContextMessage(role="user", content="What is *this*?\nSay it twice."),)


def ask(model, *, on_close=lambda _: None, messages=ASKED, **more):
    return list(DemoModels().stream(ModelRequest(model, messages, **more), on_close))


def test_the_answer_follows_from_the_messages_alone():
    deltas = ask("fast")
    text = "".join(delta.text for delta in deltas)
    assert text == answer_text("fast", ASKED)
    assert text != answer_text("fast", (*ASKED, *ASKED))
    assert deltas[-1].finish_reason == "stop"
    assert deltas[-1].usage.completion_tokens == len(deltas) - 1 == len(tokens_of(text))


def test_it_says_that_it_is_no_language_model_and_shows_markdown():
    text = answer_text("plain", ASKED)
    assert "no language model" in text.partition("\n")[0]
    assert "\n1. " in text
    assert "```python\n" in text
    assert "](https://" in text


def test_tokens_are_the_text_and_nothing_else():
    for text in (answer_text("plain", ASKED), "  leading and trailing \n", "", "one"):
        assert "".join(tokens_of(text)) == text


def test_it_goes_on_from_what_it_wrote_and_answers_anew_from_what_it_did_not():
    text = answer_text("fast", ASKED)
    assert "".join(delta.text for delta in ask("fast", prefix=text[:50])) == text[50:]
    assert "".join(delta.text for delta in ask("fast", prefix="Something else")) == text


def test_it_keeps_to_the_limit_of_tokens():
    deltas = ask("fast", parameters=ModelParameters(max_tokens=3))
    assert len(deltas) == 4
    assert deltas[-1].finish_reason == "length"


def test_failing_fails_and_flaky_only_until_it_goes_on(monkeypatch):
    for name in ("flaky", "failing"):
        monkeypatch.setitem(MODELS, name, type(MODELS[name])("quick", tokens_per_s=0, first_token_s=0))
    with pytest.raises(Permanent) as failed:
        ask("failing")
    assert failed.value.code == "model.refused"
    texts = []
    answer = DemoModels().stream(ModelRequest("flaky", ASKED), lambda _: None)
    with pytest.raises(Retryable) as broke_off:
        texts.extend(delta.text for delta in answer)
    assert broke_off.value.code == "model.cut_off"
    assert len(texts) == BREAKS_OFF_AFTER
    rest = ask("flaky", prefix="".join(texts))
    assert "".join((*texts, *(delta.text for delta in rest))) == answer_text("flaky", ASKED)


def test_thinking_says_so_once_before_its_first_token(monkeypatch):
    quick = dataclasses.replace(MODELS["thinking"], tokens_per_s=0, first_token_s=0, thinks_s=0.01)
    monkeypatch.setitem(MODELS, "thinking", quick)
    first, *rest = ask("thinking")
    assert (first.text, first.is_thinking) == ("", True)
    assert "".join(delta.text for delta in rest) == answer_text("thinking", ASKED)
    assert not any(delta.is_thinking for delta in rest)


def test_it_ends_at_once_when_it_is_closed_from_another_thread():
    closers, deltas = queue.SimpleQueue(), []
    answer = DemoModels().stream(ModelRequest("slow", ASKED), closers.put)
    ended = threading.Event()

    def read():
        with pytest.raises(ActionCancelled):
            deltas.extend(answer)
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    closers.get(timeout=30)()
    assert ended.wait(1)  # the first token of `slow` comes after 2 s
    thread.join()
    assert deltas == []
