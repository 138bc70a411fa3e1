"""Readers of /v1 who hold what they were sent, while the worker that writes for them is killed."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from orchestration.store.accounts import add_token
from schemas.statuses import Role
from tests.conftest import Eventually
from tests.integration.openai.conftest import OPERATOR, start_relay
from tests.integration.relay.conftest import Relay
from tests.support.chat import ChatFleet
from tests.support.model_peer import ModelServer
from tests.support.workers import wait_until

pytestmark = pytest.mark.fault

WORDS = 240
# Four seconds, in other words each time it is asked.
SAMPLED = f"resumes/sampled?tokens={WORDS}&per_s=60&samples=1"
NEVER = {"chat_store_s": "60", "chat_store_tokens": "10000"}
# The fiftieth word is stored, and no more before the hundredth.
BEHIND = {"chat_store_s": "60", "chat_store_tokens": "50", "progress_interval_s": "0.1"}


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def relay(
    database_url: str, redis_url: str, tmp_path: Path, model_server: ModelServer, eventually: Eventually
) -> Iterator[Relay]:
    relay = start_relay(database_url, redis_url, tmp_path, model_server)
    eventually(relay.is_up, timeout_s=60)
    yield relay
    relay.stop()


class Reader:
    """A client of chat completions, which adds what it is told to what it has."""

    def __init__(self, relay: Relay, model: str) -> None:
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "What is a fence?"}]}
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        self.response = requests.post(
            f"{relay.url}/v1/chat/completions", json=body, headers=headers, stream=True, timeout=60
        )
        assert self.response.status_code == 200, self.response.text
        self.text = ""
        self.finish_reason: str | None = None
        self.rest: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def words(self) -> list[tuple[str, int]]:
        """Of which answer of the model each word is, and which word."""
        return [(sample, int(place)) for _, sample, place in (word.split("-") for word in self.text.split())]

    def wait(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), "no end in sight"

    def _run(self) -> None:
        for line in self.response.iter_lines(chunk_size=1, decode_unicode=True):
            data = line.removeprefix("data: ")
            chunk: dict[str, Any] = json.loads(data) if line.startswith("data: {") else {}
            if not chunk.get("choices"):
                self.rest += [data] * bool(line and not line.startswith(":"))
                continue
            (choice,) = chunk["choices"]
            self.text += choice["delta"].get("content") or ""
            self.finish_reason = choice["finish_reason"] or self.finish_reason


@pytest.mark.parametrize(("stored", "pace"), [(0, NEVER), (50, BEHIND)], ids=["nothing stored", "stored behind"])
def test_a_stream_outlives_the_worker_of_a_model_that_samples(
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    model_server: ModelServer,
    relay: Relay,
    stored: int,
    pace: dict[str, str],
) -> None:
    with ChatFleet(database_url, redis_url, tmp_path, model_server, **pace) as chatting:
        add_token(chatting.database, name="api", user_name="api", role=Role.OPERATOR, secret=OPERATOR)
        worker = chatting.worker("chat", "interactive")
        reader = Reader(relay, SAMPLED)
        wait_until(lambda: len(reader.words) >= 80, 60, lambda: (reader.text, reader.rest))
        worker.signal_all(signal.SIGKILL)
        kept = chatting.database.call("SELECT coalesce(max(text), '') FROM texts")
        heard = len(reader.words)
        reader.wait()
    assert (reader.finish_reason, reader.rest[-1]) == ("stop", "[DONE]")
    assert [place for _, place in reader.words] == list(range(WORDS)), "nothing twice, and nothing lost"
    assert kept.count(" ") >= stored
    assert kept.count(" ") < heard, "more was heard than was stored"
    first, second = sorted({sample for sample, _ in reader.words})
    before = [sample for sample, _ in reader.words].count(first)
    assert before >= heard
    asked = model_server.seen(SAMPLED.partition("/")[2])
    assert [(one.sent, f"s{one.number}") for one in asked][1] == (WORDS - before, second)
    assert worker.starts == 2
