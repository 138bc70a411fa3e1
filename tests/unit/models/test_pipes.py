import pytest

from orchestration.actions.outcomes import ActionCancelled, Permanent
from orchestration.models import pipes
from orchestration.models.pipes import chat_pipe
from orchestration.models.port import Delta, ModelRequest
from orchestration.models.registry import ModelRegistry
from schemas.chat import ContextMessage, Usage

ASKED = (ContextMessage(role="user", content="say it"),)


@pytest.fixture(autouse=True)
def _own_pipes(monkeypatch):
    monkeypatch.setattr(pipes, "_pipes", {})


def ask(name, on_close=lambda _: None):
    model, own_name = ModelRegistry().find(f"pipe/{name}")
    return model.stream(ModelRequest(own_name, ASKED), on_close)


def test_a_function_is_a_model():
    @chat_pipe("shout", label="Louder")
    def shout(request):
        for word in request.messages[-1].content.split():
            yield word.upper() + " "

    assert list(ask("shout")) == [Delta("SAY "), Delta("IT "), Delta(finish_reason="stop")]
    shown = next(model for model in ModelRegistry().models() if model.name == "pipe/shout")
    assert (shown.label, shown.continues) == ("Louder", False)


def test_it_may_give_its_own_finish_and_usage_or_one_text():
    usage = Usage(prompt_tokens=1, completion_tokens=2)

    @chat_pipe("counts")
    def counts(request):
        yield "a"
        yield Delta("b", "length", usage)

    chat_pipe("plain")(lambda request: "all at once")
    assert list(ask("counts")) == [Delta("a"), Delta("b", "length", usage)]
    assert list(ask("plain")) == [Delta("all at once"), Delta(finish_reason="stop")]


def test_what_is_no_text_is_refused():
    chat_pipe("numbers")(lambda request: iter([1]))
    with pytest.raises(Permanent, match="yielded int") as refused:
        list(ask("numbers"))
    assert refused.value.code == "model.malformed"


def test_a_closed_pipe_ends_at_its_next_piece_and_is_cleaned_up():
    closers, seen = [], []

    @chat_pipe("endless")
    def endless(request):
        try:
            while True:
                yield "more "
        finally:
            seen.append("cleaned up")

    answer = ask("endless", closers.append)
    assert next(answer) == Delta("more ")
    closers[0]()
    with pytest.raises(ActionCancelled):
        next(answer)
    assert seen == ["cleaned up"]


def test_a_pipe_that_waits_hears_of_the_closing():
    closed = []

    @chat_pipe("waits")
    def waits(request, on_close):
        on_close(lambda: closed.append(True))
        yield "a"

    closers = []
    next(ask("waits", closers.append))
    for close in closers:
        close()
    assert closed == [True]


def test_a_name_is_given_once_and_must_be_one():
    chat_pipe("taken")(lambda request: "")

    def another(request):
        return ""

    with pytest.raises(ValueError, match="already declared"):
        chat_pipe("taken")(another)
    with pytest.raises(ValueError, match="lower-case"):
        chat_pipe("Not a name")
