from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.models.chunks import MAX_LINE_BYTES, BadChunk, ChunkReader

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
EXTENSIONS = st.sampled_from([b"", b";a", b"; a=b", b';q="x" '])
TRAILERS = st.lists(st.sampled_from([b"A: b\r\n", b"Long: " + b"x" * 50 + b"\r\n"]), max_size=2)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """What a body says, and how it is sent."""
    pieces = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    sent = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), draw(EXTENSIONS), piece) for piece in pieces)
    return b"".join(pieces), sent + b"0\r\n" + b"".join(draw(TRAILERS)) + b"\r\n"


def in_pieces(sent: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted({min(cut, len(sent)) for cut in cuts}), len(sent)]
    return [sent[start:end] for start, end in pairwise(places) if start < end]


def by_h11(sent: bytes) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD + sent)
    data = b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            data += bytes(event.data)
    return data


@given(bodies(), st.lists(st.integers(0, 400), max_size=12), st.binary(max_size=5))
def test_a_body_reads_as_it_was_said_however_it_is_cut(body: tuple[bytes, bytes], cuts: list[int], more: bytes) -> None:
    said, sent = body
    reader = ChunkReader()
    assert b"".join(map(reader.feed, in_pieces(sent, cuts))) == said == by_h11(sent)
    assert reader.is_ended
    assert reader.rest == b""
    assert reader.feed(more) == b""
    assert reader.rest == more, "what comes behind a body is no part of it"


@given(bodies())
def test_a_body_has_not_ended_before_its_last_byte(body: tuple[bytes, bytes]) -> None:
    reader = ChunkReader()
    reader.feed(body[1][:-1])
    assert not reader.is_ended


@pytest.mark.parametrize("sent", [b"5\r\nhelloworld", b"x\r\n", b"-1\r\n", b"\r\n", b"5 6\r\n", b"f" * 16 + b"\r\n"])
def test_what_is_no_chunk_is_refused(sent: bytes) -> None:
    with pytest.raises(BadChunk):
        ChunkReader().feed(sent)


def test_a_size_that_never_ends_is_refused() -> None:
    reader = ChunkReader()
    reader.feed(b"5;" + b"a" * (MAX_LINE_BYTES - 2))
    with pytest.raises(BadChunk):
        reader.feed(b"a")


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_anything_is_read_or_refused(pieces: list[bytes]) -> None:
    reader = ChunkReader()
    try:
        for piece in pieces:
            reader.feed(piece)
    except BadChunk:
        return
    assert len(reader.rest) <= sum(map(len, pieces))
