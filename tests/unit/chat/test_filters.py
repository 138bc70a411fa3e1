"""Filters of chats: how they are declared, their order, what comes of one that fails, and those that are bundled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.actions.outcomes import Permanent
from orchestration.chat import filters as registry
from orchestration.chat.bundled_filters import EMAIL_MASK
from orchestration.chat.filters import FilterChain, chat_filter, check_filters, known_filters
from orchestration.chat.tokens import estimated_prompt_tokens, estimated_tokens
from orchestration.errors import InvalidChat
from orchestration.redaction import MASK
from schemas.chat import ChatContext, ChatRole, ContextMessage


@pytest.fixture(autouse=True)
def _filters_of_this_test_only() -> Iterator[None]:
    kept = dict(registry._filters)
    yield
    registry._filters.clear()
    registry._filters.update(kept)


def context(*said: tuple[str, str]) -> ChatContext:
    return ChatContext(messages=tuple(ContextMessage(role=ChatRole(role), content=text) for role, text in said))


def chain(*names: str, log: list[str] | None = None, **options: Mapping[str, Any]) -> FilterChain:
    return FilterChain.of(names, options, (log if log is not None else []).append)


def through(filters: FilterChain, text: str, cuts: list[int] | None = None) -> str:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts or []), len(text)]
    return "".join(filters.stream(text[start:end]) for start, end in pairwise(places)) + filters.flush()


def test_filters_run_in_the_order_they_are_named_in() -> None:
    @chat_filter("u.a", at="stream")
    def first(text: str) -> str:
        return f"{text}a"

    @chat_filter("u.b", at="stream")
    def second(text: str) -> str:
        return f"{text}b"

    assert chain("u.a", "u.b").stream("x") == "xab"
    assert chain("u.b", "u.a").stream("x") == "xba"


def test_what_a_filter_held_back_passes_those_behind_it() -> None:
    @chat_filter("u.holds")
    class Holds:
        def __init__(self) -> None:
            self.held = ""

        def stream(self, text: str) -> str:
            self.held += text
            return ""

        def flush(self) -> str:
            return self.held

    @chat_filter("u.upper", at="stream")
    def upper(text: str) -> str:
        return text.upper()

    filters = chain("u.holds", "u.upper")
    assert [filters.stream("a"), filters.stream("b"), filters.flush()] == ["", "", "AB"]


def test_each_generation_has_an_object_of_its_own_with_its_options() -> None:
    @chat_filter("u.counts")
    class Counts:
        def __init__(self, options: Mapping[str, Any]) -> None:
            self.count = options["start"]

        def stream(self, _text: str) -> str:
            self.count += 1
            return str(self.count)

    options = {"u.counts": {"start": 5}}
    one = FilterChain.of(["u.counts"], options, print)
    other = FilterChain.of(["u.counts"], options, print)
    assert [one.stream("x"), one.stream("x"), other.stream("x")] == ["6", "7", "6"]


@pytest.mark.parametrize("stage", ["inlet", "stream", "outlet"])
@pytest.mark.parametrize("wrong", ["raises", "answers nonsense"])
def test_a_filter_that_fails_is_passed_over_from_then_on(stage: Any, wrong: str) -> None:
    calls: list[object] = []

    @chat_filter("u.fails", at=stage)
    def fails(value: object) -> object:
        calls.append(value)
        if wrong == "raises":
            raise ValueError("no")
        return 7

    log: list[str] = []
    filters = chain("u.fails", log=log)
    given_in = context(("user", "hi")) if stage == "inlet" else "text"
    assert [getattr(filters, stage)(given_in) for _ in range(2)] == [given_in, given_in]
    assert len(calls) == 1
    error = "ValueError" if wrong == "raises" else "TypeError"
    assert filters.notes == [{"filter": "u.fails", "stage": stage, "error": error, "passed_over": True}]
    assert len(log) == 1


def test_a_filter_that_must_not_fail_ends_the_answer_without_its_own_words() -> None:
    @chat_filter("u.must", at="outlet", on_failure="fail")
    def must(_text: str) -> str:
        raise ValueError("a secret of the filter")

    with pytest.raises(Permanent) as raised:
        chain("u.must").outlet("text")
    assert raised.value.code == "chat.filter_failed"
    assert "secret" not in raised.value.reason


def test_a_filter_that_cannot_be_made_fails_by_its_policy() -> None:
    class Broken:
        def __init__(self, options: Mapping[str, Any]) -> None:
            self.word = options["word"]

        def outlet(self, text: str) -> str:
            return text + str(self.word)

    chat_filter("u.skips")(Broken)
    filters = chain("u.skips")
    assert filters.outlet("text") == "text"
    assert filters.notes[0]["stage"] == "making"


def test_a_filter_that_a_worker_does_not_know_fails_the_answer() -> None:
    with pytest.raises(Permanent, match="knows no filter"):
        chain("u.elsewhere")


def test_names_are_checked_before_an_answer_is_accepted() -> None:
    check_filters(["mask_emails", "trim_context"])
    with pytest.raises(InvalidChat, match="no filter 'nothing'"):
        check_filters(["nothing"])
    with pytest.raises(InvalidChat, match="named twice"):
        check_filters(["mask_emails", "mask_emails"])


@pytest.mark.parametrize("name", ["", "Upper", "a b", ".a"])
def test_malformed_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        chat_filter(name, at="stream")(str)


def test_a_taken_name_and_a_class_without_stages_are_refused() -> None:
    class Nothing:
        """No stage."""

    with pytest.raises(ValueError, match="already declared"):
        chat_filter("mask_emails", at="stream")(lambda text: text)
    with pytest.raises(ValueError, match="none of inlet, stream, flush, outlet"):
        chat_filter("u.nothing")(Nothing)


def test_only_filters_that_look_at_no_text_can_be_taken_up_by_themselves() -> None:
    chat_filter("u.in", at="inlet")(lambda context: context)
    chat_filter("u.out", at="outlet")(lambda text: text)
    chat_filter("u.again", at="outlet", resumable=True)(lambda text: text)
    assert chain("u.in", "u.again").is_resumable
    assert not chain("u.in", "u.out").is_resumable


def test_bundled_filters_say_what_they_do() -> None:
    bundled = {"system_prompt", "trim_context", "mask_secrets", "mask_emails"}
    assert bundled <= set(known_filters())
    assert all(known_filters()[name].summary.endswith(".") for name in bundled)


def test_a_system_prompt_goes_before_instructions_that_are_there() -> None:
    filters = chain("system_prompt", system_prompt={"text": "Be kind."})
    assert filters.inlet(context(("user", "hi"))) == context(("system", "Be kind."), ("user", "hi"))
    told = filters.inlet(context(("system", "Be brief."), ("user", "hi")))
    assert told == context(("system", "Be kind.\n\nBe brief."), ("user", "hi"))
    assert chain("system_prompt").inlet(context(("user", "hi"))) == context(("user", "hi"))


def test_a_short_context_stays_as_it_is() -> None:
    whole = context(("user", "a"), ("assistant", "b"), ("user", "c"))
    assert chain("trim_context").inlet(whole) is whole


@given(
    said=st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), st.text(max_size=40)), min_size=1),
    limit=st.integers(0, 200),
)
def test_a_long_context_keeps_instructions_the_last_message_and_as_much_of_the_end_as_fits(
    said: list[tuple[str, str]], limit: int
) -> None:
    whole = context(*said)
    kept = chain("trim_context", trim_context={"max_tokens": limit}).inlet(whole).messages
    assert kept[-1] == whole.messages[-1]
    assert [m for m in kept if m.role is ChatRole.SYSTEM] == [m for m in whole.messages if m.role is ChatRole.SYSTEM]
    spoken = [m for m in whole.messages[:-1] if m.role is not ChatRole.SYSTEM]
    left = [m for m in kept[:-1] if m.role is not ChatRole.SYSTEM]
    assert left == spoken[len(spoken) - len(left) :]
    must = [m for m in whole.messages if m.role is ChatRole.SYSTEM or m is whole.messages[-1]]
    assert estimated_prompt_tokens(kept) <= max(limit, estimated_prompt_tokens(must))


def test_a_shortened_conversation_does_not_begin_with_an_answer() -> None:
    whole = context(("user", "x" * 400), ("assistant", "yes"), ("user", "and?"), ("assistant", "so"), ("user", "ok"))
    kept = chain("trim_context", trim_context={"max_tokens": 60}).inlet(whole)
    assert kept == context(("user", "and?"), ("assistant", "so"), ("user", "ok"))


WORDS = st.lists(
    st.sampled_from(
        ["bob@example.org", "a.b+c@mail.example.co.uk", "bob", "@", ".", " ", "no@mail", "x" * 70, "-", "é"]
    ),
    max_size=8,
).map("".join)


@given(text=WORDS, cuts=st.lists(st.integers(0, 200), max_size=8))
@example(text="a@b.com@x.org", cuts=[6])
@example(text="a.b+c@mail.example.co.uk", cuts=[19])
@settings(max_examples=400)
@example(text="write to bob@example.org, please", cuts=[10, 13, 20])
def test_addresses_are_masked_the_same_wherever_pieces_are_cut(text: str, cuts: list[int]) -> None:
    whole = through(chain("mask_emails"), text)
    assert through(chain("mask_emails"), text, cuts) == whole
    assert "bob@example.org" not in whole


def test_an_address_is_masked_and_what_stands_around_it_kept() -> None:
    assert through(chain("mask_emails"), "Ask bob@example.org.", [7, 12]) == f"Ask {EMAIL_MASK}."
    filters = chain("mask_emails")
    assert [filters.stream("Ask bob"), filters.stream(" now")] == ["Ask ", "bob "]


def test_what_looks_like_a_secret_is_masked_where_that_is_asked_for() -> None:
    said = "Set password=hunter2 and go on."
    assert through(chain("mask_secrets"), said, [8, 15, 17]) == f"Set password={MASK} and go on."


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("éé", 1), ("日本", 2)])
def test_tokens_are_guessed_from_bytes(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens
