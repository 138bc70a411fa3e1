import json

import pytest

from orchestration.models.answers import AnswerReader, EchoDropper, Malformed, SaidError
from orchestration.models.port import Delta
from schemas.chat import Usage


def chunk(text=None, finish=None, **more):
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]} | more, ensure_ascii=False).encode() + b"\n\n"


ANSWER = chunk("Grü") + b": a comment\n\n" + chunk("ße 🌍") + chunk(finish="stop") + b"data: [DONE]\n\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_an_answer_reads_the_same_wherever_the_network_breaks_it(size):
    reader = AnswerReader()
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    texts = [text for piece in pieces for text in reader.feed(piece)]
    assert "".join(texts) == "Grüße 🌍"
    assert reader.ended
    assert reader.last() == Delta(finish_reason="stop")


def test_lines_may_end_as_on_other_systems_and_have_no_space():
    reader = AnswerReader()
    answer = ANSWER.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")
    assert "".join(reader.feed(answer)) == "Grüße 🌍"


def test_usage_comes_with_the_last_delta_whether_it_has_a_chunk_of_its_own_or_not():
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    alone, beside = AnswerReader(), AnswerReader()
    own_chunk = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    list(alone.feed(chunk("a", usage=None) + chunk(finish="length") + own_chunk))
    list(beside.feed(chunk("a") + chunk(finish="length", usage=usage)))
    assert alone.last() == beside.last() == Delta("", "length", Usage(prompt_tokens=3, completion_tokens=5))


@pytest.mark.parametrize(
    "said",
    ['{"prompt_tokens": "many"}', '{"prompt_tokens": 1e999}', '{"completion_tokens": NaN}', '{"prompt_tokens": -7}',
     '{"prompt_tokens": 99999999999999999999}', '{"completion_tokens": 1' + 5000 * "0" + "}", '"many"', "[7]",
     '{"prompt_tokens": [7]}'],
)  # fmt: skip
def test_usage_that_can_be_no_count_of_tokens_is_left_out_and_the_answer_stands(said):
    reader = AnswerReader()
    last = f'data: {{"choices": [{{"delta": {{}}, "finish_reason": "stop"}}], "usage": {said}}}\n\n'
    assert "".join(reader.feed(chunk("whole") + last.encode())) == "whole"
    assert reader.last() == Delta(finish_reason="stop")


@pytest.mark.parametrize(
    ("said", "read"),
    [("length", "length"), ("tool_calls", "tool_calls"), ("max_tokens", "length"), ("eos", "stop"), (7, "stop"),
     ({"why": "x"}, "stop"), (["length"], "stop"), ("x" * 100_000, "stop")],
)  # fmt: skip
def test_a_finish_reason_is_one_that_clients_know(said, read):
    reader = AnswerReader()
    assert list(reader.feed(chunk("whole", finish=said))) == ["whole"]
    assert reader.last() == Delta(finish_reason=read)


def test_an_answer_without_a_finish_reason_has_broken_off_unless_it_says_that_it_is_done():
    reader = AnswerReader()
    list(reader.feed(chunk("a")))
    assert reader.last() is None
    list(reader.feed(b"data: [DONE]\n\n"))
    assert reader.last() == Delta(finish_reason="stop")


def test_reasoning_is_a_sign_of_life_and_no_text():
    reader = AnswerReader()
    thought = {"choices": [{"delta": {"reasoning_content": "hm", "content": None}, "finish_reason": None}]}
    assert not reader.thinking
    assert list(reader.feed(b"data: " + json.dumps(thought).encode() + b"\n\n")) == [""]
    assert reader.thinking
    assert list(reader.feed(chunk("a"))) == ["a"]
    assert not reader.thinking


@pytest.mark.parametrize(
    "payload",
    [b'{"choices": [{"delta": {"con', b"[]", b"null", b'"text"', b"7", b'{"choices": 5}', b'{"choices": [null]}',
     b'{"choices": [{"delta": {"content": [1]}}]}', b"\xff\xfe"],
)  # fmt: skip
def test_what_is_no_chunk_is_said_and_quoted(payload):
    with pytest.raises(Malformed, match="no chunk of an answer"):
        list(AnswerReader().feed(b"data: " + payload + b"\n"))


def test_a_line_without_end_does_not_fill_the_memory():
    reader = AnswerReader()
    pieces = (text for _ in range(100) for text in reader.feed(b"x" * 65536))
    with pytest.raises(Malformed, match="longer than"):
        list(pieces)


@pytest.mark.parametrize(
    "said",
    [{"error": {"message": "overloaded"}}, {"error": "overloaded"}, {"object": "error", "message": "overloaded"}],
)
def test_an_error_in_the_midst_of_an_answer_is_one(said):
    with pytest.raises(SaidError, match="overloaded"):
        list(AnswerReader().feed(b"data: " + json.dumps(said).encode() + b"\n"))


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_repeated_beginning_is_dropped_wherever_its_pieces_break(size):
    answer = "Once upon a time there was"
    dropper = EchoDropper("Once upon")
    texts = [dropper.feed(answer[start : start + size]) for start in range(0, len(answer), size)]
    assert "".join(texts) + dropper.flush() == " a time there was"


def test_an_answer_that_does_not_repeat_the_beginning_is_given_out_whole():
    dropper = EchoDropper("Once upon")
    assert dropper.feed("On") + dropper.feed("ly") + dropper.flush() == "Only"
    dropper = EchoDropper("Once upon")
    assert dropper.feed("On") + dropper.flush() == "On"
