"""Messages come out whole, wherever the stream between the processes is cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from workers.wire import LineBuffer, Message, encode

MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), st.text() | st.integers() | st.none(), max_size=4), max_size=6)


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_messages_arrive_whole_and_in_order(messages: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(encode, messages))
    places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    lines = LineBuffer()
    heard = [message for start, end in itertools.pairwise(places) for message in lines.feed(stream[start:end])]
    assert heard == messages


def test_a_message_is_one_line_whatever_it_holds() -> None:
    assert encode({"text": "a\nb\u2028c"}).count(b"\n") == 1
