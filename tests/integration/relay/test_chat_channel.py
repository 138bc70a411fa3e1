"""Chats over Socket.IO, the list of conversations, and Valkey emptied or restarted in the midst of an answer."""

from __future__ import annotations

import json
import time

import pytest

from schemas.events import NoticeEvent
from tests.integration.relay.chat_world import ChatWorld, Follower, reading
from tests.integration.relay.conftest import Relay, World

pytestmark = pytest.mark.integration

MIXTURE = {"proposers": ["demo/fast", "demo/plain"], "aggregator": "demo/fast"}
WORDS = [f"word-{number} " for number in range(200)]


@pytest.fixture(scope="module")
def chat(world):
    return ChatWorld(world)


def test_notices_are_told_under_their_old_names_too(chat, relay, watch, eventually):
    answer = chat.ask(mixture=MIXTURE)
    told = []
    watcher = watch(relay, answer.taskId)
    for name in ("status", "chat:message:error"):
        watcher.client.on(name, lambda data, name=name: told.append((name, data)))
    chat.stream.publish(
        answer.taskId,
        [
            NoticeEvent(notice="agent_mixing", message="3 agents will be asked"),
            NoticeEvent(
                notice="chat:message:error",
                message="One of the agents failed to respond.",
                index=1,
                key="agent2",
                error=True,
            ),
        ],
    )
    eventually(lambda: len([name for name, data in told if name == "chat:message:error"]) >= 1)
    error = next(data for name, data in told if name == "chat:message:error")
    assert error == {
        "message_id": answer.id,
        "workflow_id": answer.taskId,
        "content": "One of the agents failed to respond.",
        "error": "One of the agents failed to respond.",
        "step": "agent2",
    }
    status = next(data for name, data in told if name == "status")
    assert status["action"] == "agent_mixing"
    assert (status["message_id"], status["workflow_id"]) == (answer.id, answer.taskId)
    assert status["description"]
    # Beside `workflow_event`, not in its place.
    notices = [event["event"]["notice"] for event in watcher.events if event["event"]["type"] == "notice"]
    assert notices.count("chat:message:error") == 1


def test_text_is_told_over_socketio(chat, relay, watch, eventually):
    answer = chat.ask()
    watcher = watch(relay, answer.taskId)
    attempt = chat.write(answer)
    attempt.write(*WORDS[:20])
    attempt.finish()

    def texts():
        return [event["event"] for event in watcher.events if event["event"]["type"] == "text"]

    eventually(lambda: len(texts()) == 20)
    text = ""
    for event in texts():
        text = text[: event["offset"]] + event["text"]
    assert text == attempt.text


def test_which_conversations_are_being_written_is_told(chat, relay):
    response = relay.get("/api/chat/conversations/events", stream=True)
    lines = response.iter_lines(chunk_size=1, decode_unicode=True)

    def read():
        return next(json.loads(line[6:]) for line in lines if line.startswith("data: "))

    read()
    answer = chat.ask()
    while answer.conversation_id not in (told := read())["writing"]:
        pass
    assert told["writing"][answer.conversation_id] == 1
    assert told["changed_at"]
    attempt = chat.write(answer)
    attempt.write("Yes.")
    attempt.finish()
    while answer.conversation_id in read()["writing"]:
        pass
    response.close()


def test_a_deleted_message_ends_its_readers(chat, relay):
    answer = chat.ask()
    with reading(relay, answer.id) as reader:
        assert reader.read()[0] == "snapshot"
        chat.database.execute("DELETE FROM conversations WHERE public_id = %s", answer.conversation_id)
        name, why = reader.read()
    assert (name, why["code"]) == ("gone", "unknown_message")
    assert relay.get(f"/api/chat/messages/{answer.id}").status_code == 404


@pytest.mark.fault
@pytest.mark.parametrize("how", ["emptied", "restarted"])
def test_readers_recover_when_valkey_is_lost_in_the_midst(database_url, private_valkey, tmp_path, eventually, how):
    world = World(database_url, private_valkey.url)
    chat = ChatWorld(world)
    relay = Relay(world, tmp_path)
    try:
        eventually(relay.is_up, timeout_s=60)
        answers = [chat.ask() for _ in range(3)]
        attempts = [chat.write(answer) for answer in answers]
        followers = [Follower(relay, answer.id) for answer in answers for _ in range(5)]
        for number, word in enumerate(WORDS):
            for attempt in attempts:
                attempt.write(word)
                if number % 20 == 19:
                    attempt.save()
            if number == 70:
                eventually(lambda: all(follower.text for follower in followers))
                if how == "emptied":
                    world.stream._calls.flushall()
                else:
                    private_valkey.kill()
                    private_valkey.wipe()
            time.sleep(0.01)  # the pace of a model
        for attempt in attempts:
            attempt.finish()
        for number, follower in enumerate(followers):
            follower.join(60)
            assert follower.text == follower.done["text"] == attempts[number // 5].text
    finally:
        relay.stop()
        world.close()
