"""Snapshots on real servers: taken while a text is written, each leads to the final text with the events behind it."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator

import pytest
import redis

from messaging.stream import EventStream
from orchestration.chat.snapshots import Snapshots
from orchestration.engine.attempts import Attempts
from orchestration.redaction import Redactor
from schemas.chat import Message, StepShown
from schemas.events import Position, ProgressEvent
from tests.support.chat_engine import Talk
from tests.support.engine import ALICE, LEASE_S, RESEND_S
from workers.texts import Text

MIXTURE = {"proposers": ["demo/plain", "demo/fast"], "aggregator": "demo/slow"}


@pytest.fixture
def stream(redis_url: str) -> EventStream:
    return EventStream(redis_url)


@pytest.fixture
def writing(talk: Talk, stream: EventStream) -> Iterator[Talk]:
    """A talk whose events go to a real stream."""
    talk.attempts = Attempts(talk.database, talk.recorder, stream, lease_s=LEASE_S, resend_s=RESEND_S)
    yield talk
    assert stream.dropped == 0


@pytest.fixture
def snapshots(writing: Talk, stream: EventStream) -> Snapshots:
    return Snapshots(writing.conversations, stream)


def text_of(writing: Talk, stream: EventStream, said, position: int = 0) -> Text:
    return Text(writing.take(said, position), writing.attempts, stream, Redactor([]))


def replayed(stream: EventStream, snapshot: Message, key: str = "answer") -> str:
    """The text of a snapshot, and all that the stream says of that step behind it."""
    assert snapshot.position is not None
    text, place = snapshot.text, Position.parse(snapshot.position)
    while (batch := stream.read(str(snapshot.run_id), place)).entries:
        for entry in batch.entries:
            event = json.loads(entry.text)
            if event["type"] == "text" and event["key"] == key:
                assert event["offset"] <= len(text), "a piece is missing"
                text = text[: event["offset"]] + event["text"]
        place = batch.position
    assert not batch.truncated
    return text


def test_snapshots_taken_while_a_text_is_written_lead_to_its_end(
    writing: Talk, stream: EventStream, snapshots: Snapshots
) -> None:
    """Pieces, stores, texts begun anew and readers, each at its own pace."""
    said = writing.say()
    text = text_of(writing, stream, said)
    dice, over, taken = random.Random(5), threading.Event(), []

    def read() -> None:
        while not over.is_set():
            taken.append(snapshots.message(said.id))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    whole = ""
    for number in range(1500):
        piece = f"{number} "
        if number % 400 == 399:
            whole = f"anew {number}: "
            text.rewrite(whole)
        else:
            whole += piece
            text.write(piece)
        if dice.random() < 0.02:
            text.save()
        if dice.random() < 0.05:
            stream.flush(5)
    assert stream.flush(10)
    over.set()
    for reader in readers:
        reader.join()
    assert len(taken) > 5
    # Without a place: at that moment the store was ahead of the stream by a text begun anew.
    placed = [snapshot for snapshot in taken if snapshot.position]
    assert len(placed) > len(taken) / 2
    assert [replayed(stream, snapshot) for snapshot in placed] == [whole] * len(placed)
    last = snapshots.message(said.id)
    assert (last.text, last.position) == (whole, str(stream.position(said.taskId)))


def test_a_snapshot_of_a_mixture_has_what_each_agent_has_said(
    writing: Talk, stream: EventStream, snapshots: Snapshots
) -> None:
    said = writing.say(mixture=MIXTURE)
    first, second = text_of(writing, stream, said, 0), text_of(writing, stream, said, 1)
    for number in range(400):
        first.write(f"a{number} ")
        second.write(f"b{number} ")
        if number == 30:
            first.save()
    assert stream.flush(10)
    shown = snapshots.message(said.id)
    assert shown.proposals is not None
    assert [one.text for one in shown.proposals] == [
        "".join(f"a{number} " for number in range(400)),
        "".join(f"b{number} " for number in range(400)),
    ]
    assert (shown.text, shown.position) == ("", shown.proposals[0].position)


def test_a_conversation_shows_what_is_being_written_in_it_as_new_as_can_be(
    writing: Talk, stream: EventStream, snapshots: Snapshots
) -> None:
    one, other = writing.say("One"), writing.say("Two", parent=None)
    for said, words in ((one, "first words"), (other, "other words")):
        text_of(writing, stream, said).write(words)
    assert stream.flush(10)
    found = {message["id"]: message for message in snapshots.conversation("talk")["messages"]}
    assert (found[one.id]["text"], found[other.id]["text"]) == ("first words", "other words")
    assert found[one.id]["position"]
    assert found[other.id]["position"]


def test_after_valkey_was_wiped_a_snapshot_has_a_place_again_once_more_is_stored(
    writing: Talk, stream: EventStream, snapshots: Snapshots, redis_url: str
) -> None:
    said = writing.say()
    text = text_of(writing, stream, said)
    text.write("One ")
    text.save()
    text.write("two ")
    assert stream.flush(10)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    assert (found := snapshots.message(said.id)).text == "One "
    assert found.position is None
    text.write("three ")
    assert stream.flush(10)
    found = snapshots.message(said.id)
    assert (found.text, found.position) == ("One ", None), "a piece is lost, so this place would be wrong"
    text.save()
    found = snapshots.message(said.id)
    assert found.text == "One two three "
    text.write("four")
    assert stream.flush(10)
    assert replayed(stream, found) == "One two three four"


def test_without_valkey_a_snapshot_is_what_is_stored(writing: Talk, stream: EventStream) -> None:
    said = writing.say()
    text = text_of(writing, stream, said)
    text.write("Stored ")
    text.save()
    text.write("and not")
    assert stream.flush(10)
    away = Snapshots(writing.conversations, EventStream("redis://127.0.0.1:1/0"))
    found = away.message(said.id)
    assert (found.text, found.position, found.status) == ("Stored ", None, "writing")
    assert away.conversation("talk")["messages"][-1]["text"] == "Stored "


def test_a_snapshot_says_that_a_model_thinks_before_that_is_stored_and_since_when_after(
    writing: Talk, stream: EventStream, snapshots: Snapshots
) -> None:
    said = writing.say(mixture=MIXTURE)
    thinks = writing.take(said, 0)
    told = {"type": "simple", "message": "Thinking"}
    stream.publish(said.taskId, [ProgressEvent(index=0, key=thinks.key, attempt=thinks.attempt, progress=told)])
    assert stream.flush(10)

    def steps() -> list[StepShown | None]:
        answer = snapshots.message(said.id)
        return [one.step for one in (*(answer.proposals or ()), answer)]

    first, *others = steps()
    assert first is not None
    assert (first.doing, first.doing_since) == ("Thinking", None)
    assert [one.doing for one in others if one is not None] == [None, None]
    writing.attempts.save_progress(thinks, told)
    stored, now = steps()[0], writing.database.call("SELECT clock_now()")
    assert stored is not None
    assert stored.doing_since is not None
    assert 0 <= (now - stored.doing_since).total_seconds() < 60
    # The next attempt has not thought yet.
    writing.database.execute(
        "UPDATE steps SET lease_until = clock_now() - interval '1 s' WHERE run_id = %s AND position = 0", thinks.run
    )
    assert writing.sweep.expired() == 1
    writing.take(said, 0)
    again = steps()[0]
    assert again is not None
    assert (again.attempt, again.doing) == (2, None)


def test_what_has_ended_is_read_without_the_stream(writing: Talk, stream: EventStream, snapshots: Snapshots) -> None:
    said = writing.say()
    text = text_of(writing, stream, said)
    text.write("Half of")
    text.save()
    writing.runs.stop(said.taskId, ALICE)
    other = writing.say("More", parent=None)
    writing.answer(other, "All of it")

    class Untouched:
        def tail_back(self, run_id: str, before: Position | None, count: int) -> tuple[()]:
            raise AssertionError(f"{run_id} was read")

    found = Snapshots(writing.conversations, Untouched()).message(other.id)
    assert (found.text, found.status, found.position) == ("All of it", "completed", None)


def test_an_attempt_that_goes_on_repeats_what_it_goes_on_from(
    writing: Talk, stream: EventStream, snapshots: Snapshots
) -> None:
    """Readers had heard more of the lost attempt than was stored, and another text than was stored at that."""
    said = writing.say()
    lost = writing.take(said)
    text = Text(lost, writing.attempts, stream, Redactor([]))
    text.write("One two")
    text.save()
    text.rewrite("Something quite different")
    assert stream.flush(10)
    before = snapshots.message(said.id)
    assert before.text == "Something quite different"
    writing.database.execute("UPDATE steps SET lease_until = clock_now() - interval '1 s' WHERE run_id = %s", lost.run)
    assert writing.sweep.expired() == 1
    between = snapshots.message(said.id)
    assert between.text == "One two", "what was not stored is lost with its attempt"
    text = text_of(writing, stream, said)
    text.write(" three")
    assert stream.flush(10)
    after = snapshots.message(said.id)
    assert [replayed(stream, one) for one in (before, between, after)] == ["One two three"] * 3
