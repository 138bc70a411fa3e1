"""Messages read while they are written, from any point: server-sent events and long-polls."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.relay.chat_world import ChatWorld, Follower, reading

pytestmark = pytest.mark.integration

WORDS = [f"word-{number} " for number in range(200)]


@pytest.fixture(scope="module")
def chat(world):
    return ChatWorld(world)


def test_a_message_is_read_piece_by_piece_and_ends_with_what_is_stored(chat, relay):
    answer = chat.ask()
    with reading(relay, answer.id) as reader:
        name, message = reader.read()
        assert (name, message["id"], message["status"], message["text"]) == ("snapshot", answer.id, "writing", "")
        assert message["run_id"] == answer.taskId
        attempt = chat.write(answer)
        name, step = reader.read()
        assert (name, step["status"], step["attempt"]) == ("step", "in_progress", 1)
        for place, piece in ((0, "Once "), (5, "upon "), (10, "a time")):
            attempt.write(piece)
            assert reader.read() == ("delta", {"offset": place, "text": piece})
        assert reader.last_id == str(chat.stream.position(answer.taskId))
        attempt.finish()
        events = [reader.read()]
        while events[-1][0] != "done":
            events.append(reader.read())
    assert [name for name, _ in events if name == "delta"] == []
    done = events[-1][1]
    assert (done["status"], done["text"], done["finish_reason"]) == ("completed", "Once upon a time", "stop")
    assert done["usage"]["completion_tokens"] == 4


def test_who_comes_late_is_told_what_was_stored_and_what_came_since(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write(*WORDS[:50])
    attempt.save()
    attempt.write(*WORDS[50:100])
    with reading(relay, answer.id) as reader:
        name, message = reader.read()
        assert (name, message["text"]) == ("snapshot", "".join(WORDS[:100]))
        assert message["position"] == str(chat.stream.position(answer.taskId))
        attempt.write("and on")
        assert reader.read() == ("delta", {"offset": len(attempt.text) - 6, "text": "and on"})


def test_who_comes_back_is_told_what_it_missed_and_nothing_twice(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write(*WORDS[:10])
    with reading(relay, answer.id) as reader:
        assert reader.read()[1]["text"] == attempt.text
        before, read = attempt.text, reader.last_id
    attempt.write(*WORDS[10:20])
    with reading(relay, answer.id, read) as reader:
        assert reader.read() == ("delta", {"offset": len(before), "text": "".join(WORDS[10:20])})
    with reading(relay, answer.id, query=f"starting_after={len(before)}") as reader:
        assert reader.read() == ("delta", {"offset": len(before), "text": "".join(WORDS[10:20])})
    with reading(relay, answer.id, query=f"starting_after={chat.stream.position(answer.taskId)}") as reader:
        attempt.finish()
        while (found := reader.read())[0] != "done":
            assert found[0] == "step"


def test_a_reader_that_comes_back_fifty_times_is_told_each_character_once(chat, relay, eventually):
    answer = chat.ask()
    attempt = chat.write(answer)
    follower = Follower(relay, answer.id, cut_after=3)
    eventually(lambda: follower.snapshots)
    for number, word in enumerate(WORDS):
        attempt.write(word)
        time.sleep(0.01)  # the pace of a model
        if number % 60 == 59:
            attempt.save()
    while follower.connects < 50:
        attempt.write("more ")
        time.sleep(0.01)
    attempt.finish()
    follower.join()
    assert follower.text == attempt.text == follower.done["text"]
    assert follower.snapshots == 1
    length = 0
    for offset, text in follower.pieces:
        assert offset == (length or offset)
        length = offset + len(text)


def test_a_message_that_was_written_is_told_whole_days_later(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write(*WORDS)
    attempt.finish()
    last = str(chat.stream.position(answer.taskId))
    chat.stream._calls.delete(f"perdure:events:{answer.taskId}")
    for after in (None, "0-0", last, "1000-7"):
        with reading(relay, answer.id, after) as reader:
            name, message = reader.read()
            assert (name, message["status"], message["text"]) == ("done", "completed", attempt.text)
    # The run goes when it is old; what it said stays.
    chat.database.execute("DELETE FROM runs WHERE public_id = %s", answer.taskId)
    with reading(relay, answer.id) as reader:
        assert reader.read()[1]["text"] == attempt.text
    poll = relay.get(f"/api/chat/messages/{answer.id}?wait=20&since=5").json()
    assert (poll["status"], poll["text"]) == ("completed", attempt.text)


def test_what_a_person_said_is_a_message_too(chat, relay):
    answer = chat.ask("Good morning")
    with reading(relay, answer.message_id) as reader:
        name, message = reader.read()
    assert (name, message["role"], message["text"]) == ("done", "user", "Good morning")


def test_an_answer_begun_anew_is_told_from_its_beginning(chat, relay, eventually):
    answer = chat.ask()
    first = chat.write(answer)
    first.write("Once upon ")
    first.save()
    follower = Follower(relay, answer.id)
    eventually(lambda: follower.snapshots)
    first.write("a time")
    first.lose()
    second = chat.write(answer)
    second.rewrite("")
    second.write("There ", "was ")
    second.finish()
    follower.join()
    assert follower.text == follower.done["text"] == "There was "


def test_so_many_characters_of_a_text_that_was_replaced_are_no_place_in_the_new_one(chat, relay):
    answer = chat.ask()
    first = chat.write(answer)
    first.write("Once upon a tree")
    first.lose()
    second = chat.write(answer)
    second.rewrite("")
    second.write("There was a house ")
    second.save()
    with reading(relay, answer.id, query="starting_after=9") as reader:
        name, message = reader.read()
        assert (name, message["text"]) == ("snapshot", "There was a house ")
        second.write("by the sea")
        assert reader.read() == ("delta", {"offset": 18, "text": "by the sea"})
    # Of no characters at all none are others.
    with reading(relay, answer.id, query="starting_after=0") as reader:
        assert reader.read() == ("delta", {"offset": 0, "text": second.text})
    second.finish()


def test_an_answer_taken_up_where_it_was_stored_is_told_on(chat, relay):
    answer = chat.ask()
    first = chat.write(answer)
    first.write("Once upon ")
    first.save()
    with reading(relay, answer.id) as reader:
        assert reader.read()[1]["text"] == "Once upon "
        first.write("a tree")
        assert reader.read()[1] == {"offset": 10, "text": "a tree"}
        first.lose()
        second = chat.write(answer)
        assert second.text == "Once upon "
        second.rewrite(second.text)
        second.write("a time")
        text = "Once upon a tree"
        while text != "Once upon a time":
            name, told = reader.read()
            if name == "delta":
                text = text[: told["offset"]] + told["text"]
        second.finish()


def test_what_was_lost_with_the_stream_is_read_as_it_is_stored(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write(*WORDS[:20])
    attempt.save()
    with reading(relay, answer.id) as reader:
        assert reader.read()[1]["text"] == attempt.text
        chat.stream._calls.delete(f"perdure:events:{answer.taskId}")
        # Only its end is in the stream that begins then.
        attempt.write(*WORDS[20:30])
        chat.stream._calls.delete(f"perdure:events:{answer.taskId}")
        attempt.write(*WORDS[30:40])
        text = "".join(WORDS[:20])
        attempt.save()
        attempt.write(*WORDS[40:50])
        while text != attempt.text:
            name, told = reader.read()
            if name == "delta":
                assert told["offset"] <= len(text)
                text = text[: told["offset"]] + told["text"]
            assert attempt.text.startswith(text)
        attempt.finish()


def test_two_hundred_readers_at_once_are_told_the_same(chat, relay, eventually):
    answer = chat.ask()
    attempt = chat.write(answer)
    followers = [Follower(relay, answer.id) for _ in range(200)]
    eventually(lambda: all(follower.snapshots for follower in followers), timeout_s=60)
    for word in WORDS[:50]:
        attempt.write(word)
    attempt.finish()
    for follower in followers:
        follower.join(90)
        assert follower.text == attempt.text
        assert follower.connects == 1


def test_a_failed_answer_says_why(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write("I am ")
    follower = Follower(relay, answer.id)
    attempt.fail()
    follower.join()
    assert follower.done["status"] == "failed"
    assert follower.done["text"] == "I am "
    assert follower.done["error"]["code"] == "model.unknown"


def test_a_long_poll_is_answered_as_soon_as_there_is_more(chat, relay):
    answer = chat.ask()
    attempt = chat.write(answer)
    attempt.write("Once ")
    path = f"/api/chat/messages/{answer.id}"
    first = relay.get(path).json()
    assert (first["text"], first["status"]) == ("Once ", "writing")
    assert relay.get(f"{path}?wait=0.2&since={first['position']}").status_code == 304
    assert relay.get(f"{path}?wait=0.2&since=5").status_code == 304
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(relay.get, f"{path}?wait=20&since={since}") for since in (first["position"], 5)]
        time.sleep(0.3)  # what is tested is that they wait
        assert not any(one.done() for one in waiting)
        attempt.write("upon")
        assert [one.result().json()["text"] for one in waiting] == ["Once upon"] * 2
    assert relay.get(f"{path}?wait=20&since=0").json()["text"] == "Once upon"
    # More than is here now may have been told to others, and is not stored yet.
    assert relay.get(f"{path}?wait=0.2&since=500").status_code == 304
    attempt.finish()
    assert relay.get(f"{path}?wait=20&since=9").json()["status"] == "completed"


@pytest.mark.parametrize("path", ["", "/events"])
def test_what_cannot_be_read_is_a_problem(relay, path):
    for name, query, status in (
        ("msg_0_none", "", 404),
        ("%22", "", 400),
        ("msg_0_none", "since=x&starting_after=x", 400),
    ):
        answer = relay.get(f"/api/chat/messages/{name}{path}?{query}")
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert relay.get(f"/api/chat/messages/msg_0_none{path}", token=None).status_code == 401
