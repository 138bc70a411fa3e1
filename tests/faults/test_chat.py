"""Answers whose worker dies, freezes or drains in mid-sentence, and whose servers go away: each text is right."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.servers import EmbeddedPostgres, EmbeddedValkey
from tests.support.chat import ChatFleet, stored_text
from tests.support.model_peer import ModelServer
from tests.support.model_server import answer_text
from tests.support.workers import WorkerProcess, wait_until

pytestmark = pytest.mark.fault

QUESTION = "What is a fence?"
ASKED = [{"role": "user", "content": QUESTION}]
TOKENS = 240
# Four seconds: long enough to be killed in its middle.
LONG = f"tokens={TOKENS}&per_s=60"
# Stored often, so that there is something to go on from soon.
OFTEN = {"chat_store_s": "0.3", "chat_store_tokens": "10", "progress_interval_s": "0.1"}
PROVIDERS = ["plain", "resumes"]


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def make_chatting(
    database_url: str, redis_url: str, tmp_path: Path, model_server: ModelServer
) -> Iterator[Callable[..., ChatFleet]]:
    """Answering workers with settings of the test's choice."""
    fleets: list[ChatFleet] = []

    def make(**settings: str) -> ChatFleet:
        fleets.append(ChatFleet(database_url, redis_url, tmp_path, model_server, **OFTEN | settings))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.close()


def expected(tokens: int = TOKENS) -> str:
    return answer_text(ASKED, tokens)


def check_taken_up(server: ModelServer, name: str, provider: str) -> None:
    """The second request went on from where the first was stored, or asked anew."""
    first, second = server.seen(name)
    assert first.body["messages"] == ASKED
    if provider == "resumes":
        *before, begun = second.body["messages"]
        assert before == ASKED
        assert begun["role"] == "assistant"
        assert expected().startswith(begun["content"])
        assert len(begun["content"]) >= 300
        assert second.sent < TOKENS
    else:
        assert second.body["messages"] == ASKED
        assert second.sent == TOKENS


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("how", ["killed", "killed with all its processes", "drained"])
def test_an_answer_survives_its_worker(
    make_chatting: Callable[..., ChatFleet], model_server: ModelServer, provider: str, how: str
) -> None:
    chatting = make_chatting(drain_s="0.2")
    worker = chatting.worker("chat", "interactive")
    answer = chatting.ask(f"{provider}/lives?{LONG}", QUESTION)
    chatting.wait_stored(answer, 300)
    match how:
        case "killed":
            worker.process.kill()
        case "drained":
            worker.process.terminate()
        case _:
            worker.signal_all(signal.SIGKILL)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected()
    assert worker.starts == 2
    reader = chatting.check_shown(answer, message["text"])
    assert reader.attempt == 2
    check_taken_up(model_server, f"lives?{LONG}", provider)
    outcomes = [a["outcome"] for a in chatting.attempts(chatting.run_of(answer))]
    assert outcomes == ["handed_back" if how == "drained" else "lost", "completed"]
    chatting.check(chatting.run_of(answer))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_frozen_worker_cannot_write_into_what_its_successor_wrote(
    make_chatting: Callable[..., ChatFleet], model_server: ModelServer, provider: str
) -> None:
    chatting = make_chatting(lease_s="2", heartbeat_s="0.3")
    chatting.start_workers({"w1": "interactive", "w2": "interactive"})
    answer = chatting.ask(f"{provider}/froze?{LONG}", QUESTION)
    chatting.wait_stored(answer, 300)
    frozen = owner_of(chatting, answer.taskId)
    frozen.signal_all(signal.SIGSTOP)
    message = chatting.wait_ended(answer)
    assert message["text"] == expected()
    before = chatting.attempts(chatting.run_of(answer))
    frozen.signal_all(signal.SIGCONT)
    # It wakes with tokens waiting in its socket, and writes until it is told that it holds nothing any more.
    wait_until(lambda: "was taken over" in frozen.log.read_text(), 60, frozen.log.read_text)
    assert [a["outcome"] for a in before] == ["lost", "completed"]
    assert chatting.attempts(chatting.run_of(answer)) == before
    assert stored_text(chatting.database, answer.taskId) == expected()
    assert chatting.message(answer.id) == message
    chatting.check_shown(answer, message["text"])
    wait_until(lambda: model_server.open_connections() <= 2, 30, model_server.open_connections)
    chatting.check(chatting.run_of(answer))


def test_postgresql_restarted_in_mid_sentence_costs_nothing(
    private_postgres: EmbeddedPostgres, redis_url: str, tmp_path: Path, model_server: ModelServer
) -> None:
    with ChatFleet(private_postgres.url, redis_url, tmp_path, model_server, **OFTEN) as chatting:
        chatting.worker("chat", "interactive")
        answer = chatting.ask(f"plain/goes-on?{LONG}", QUESTION)
        chatting.wait_stored(answer, 300)
        private_postgres.kill()
        # Readers go on reading meanwhile.
        chatting.wait_text(answer, len(expected(150)))
        private_postgres.start()
        message = chatting.wait_ended(answer)
        assert message["text"] == expected()
        assert stored_text(chatting.database, answer.taskId) == expected()
        assert chatting.check_shown(answer, message["text"]).pieces == TOKENS
        assert len(model_server.seen()) == 1
        assert [a["outcome"] for a in chatting.attempts(chatting.run_of(answer))] == ["completed"]


def test_without_valkey_answers_are_written_to_their_end_and_can_be_stopped(
    database_url: str, private_valkey: EmbeddedValkey, tmp_path: Path, model_server: ModelServer
) -> None:
    with ChatFleet(database_url, private_valkey.url, tmp_path, model_server, **OFTEN) as chatting:
        chatting.worker("chat", "interactive")
        whole = chatting.ask(f"plain/whole?{LONG}", QUESTION)
        stopped = chatting.ask("plain/stopped?tokens=9000&per_s=60", QUESTION)
        chatting.wait_stored(whole, 300)
        chatting.wait_stored(stopped, 300)
        private_valkey.kill()
        stopped_at = time.monotonic()
        chatting.stop(stopped)
        message = chatting.wait_ended(stopped, "stopped")
        (asked,) = model_server.seen("stopped?tokens=9000&per_s=60")
        assert (asked.ended, asked.ended_at is not None) == ("left", True)
        # Promised are 200 ms.
        assert (asked.ended_at or 0) - stopped_at < 0.6
        assert len(message["text"]) >= 300
        assert expected(9000).startswith(message["text"])
        assert chatting.wait_ended(whole)["text"] == expected()
        private_valkey.start()
        chatting.check(chatting.run_of(whole), chatting.run_of(stopped))


def test_a_generation_whose_workers_keep_dying_is_closed_with_all_that_belongs_to_it(
    make_chatting: Callable[..., ChatFleet], model_server: ModelServer
) -> None:
    chatting = make_chatting()
    worker = chatting.worker("chat", "interactive children")
    stuck = "stuck?tokens=9000&per_s=40"
    mixture = {"proposers": ["plain/quick?tokens=5", f"other/{stuck}"], "aggregator": "plain/joins", "quorum": 2}
    answer = chatting.ask("", QUESTION, mixture=mixture)
    message = chatting.message(answer.id)
    quick, slow = (proposal["id"] for proposal in message["proposals"])
    assert chatting.wait_ended_one(quick)["status"] == "completed"
    wait_asked(model_server, stuck, 1)
    # All processes at once: nobody's fault, and another worker goes on.
    worker.signal_all(signal.SIGKILL)
    for time_asked in (2, 3, 4):
        wait_asked(model_server, stuck, time_asked)
        assert chatting.message(slow)["status"] == "writing"
        # The process that writes it: after three times it is the suspect.
        for child in worker.children():
            signal_if_there(child)
    message = chatting.wait_ended(answer, "failed", timeout_s=90)
    assert message["error"]["code"] == "chat.quorum"
    assert [(p["status"], (p["error"] or {}).get("code")) for p in message["proposals"]] == [
        ("completed", None),
        ("failed", "worker_lost"),
    ]
    assert chatting.database.call("SELECT count(*) FROM messages WHERE status = 'writing'") == 0
    assert chatting.status(chatting.run_of(answer)) == "failed"
    chatting.check(chatting.run_of(answer))


def owner_of(chatting: ChatFleet, run_id: str) -> WorkerProcess:
    owner = chatting.database.call(
        "SELECT s.owner FROM steps s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %s", run_id
    )
    return next(worker for worker in chatting.workers if str(owner).startswith(f"{worker.name}@"))


def wait_asked(server: ModelServer, name: str, times: int) -> None:
    """Wait until the model was asked so often, and has begun to answer the last time."""

    def begun() -> Any:
        seen = server.seen(name)
        return len(seen) >= times and seen[times - 1].sent > 3

    wait_until(begun, 90, lambda: server.seen(name))


def signal_if_there(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
