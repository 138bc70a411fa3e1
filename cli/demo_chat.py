"""The demo of chat: an answer outlives its worker, one is stopped, and agents answer together and apart."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from uuid import uuid4

from cli.chat_feed import Reader
from cli.client import Client
from cli.commands.sign_in import sign_in_link
from cli.output import print_line
from schemas.json import JsonObject
from settings import read_stack

WORKER = "worker-interactive"
QUESTION = "What happens to your answer when I close the tab, or when the worker dies?"
# Characters that are read before something is done to it.
KILL_AFTER = 120
STOP_AFTER = 160


class ChatFailed(Exception):
    """The scenario did not go as it should; the message says what."""


def run_chat(client: Client, data_dir: Path) -> bool:
    """Play the scenario and tell what is seen. Raises: ChatFailed, TimeoutError."""
    print_line(f"watch it in a browser: {sign_in_link(client, '/chat')} (works once)")
    print_line("the models are the built-in offline demo: no key, no network, no intelligence")
    conversation = f"demo-{uuid4().hex[:8]}"
    _outlive(client, conversation, data_dir)
    _stop(client, conversation)
    _mixture(client)
    _battle(client)
    return True


def _outlive(client: Client, conversation: str, data_dir: Path) -> None:
    print_line(f"asked: {QUESTION}")
    asked = _say(client, QUESTION, id=conversation, chatModel={"provider": "demo", "model": "plain"})
    reader = Reader(client, asked["id"])
    killed: list[int] = []

    def on_text(text: str) -> None:
        _show(text)
        if not killed and len(reader.text) >= KILL_AFTER:
            killed.append(_kill_worker(data_dir))
            _show(f"\n[killed its worker, pid {killed[0]}]\n")

    began = time.monotonic()
    done = reader.follow(on_text)
    _show("\n")
    _need(bool(killed), "the answer ended before its worker was killed")
    _need(done["status"] == "completed", f"the answer {done['status']}")
    stored = client.get(f"/api/chat/messages/{asked['id']}")
    _need(stored["text"] == reader.text, "what was read is not what is stored")
    took, attempt = time.monotonic() - began, stored["step"]["attempt"]
    again = "begun anew once" if reader.rewritten else "none read twice"
    print_line(f"completed after {took:.1f} s by attempt {attempt}: {len(reader.text)} characters, {again}")


def _stop(client: Client, conversation: str) -> None:
    print_line("asked for a long answer, and stopped from another connection")
    asked = _say(client, "Tell me more, much more.", id=conversation, chatModel={"provider": "demo", "model": "long"})
    reader, other = Reader(client, asked["id"]), client.again()
    stopped: list[float] = []

    def on_text(text: str) -> None:
        _show(text)
        if not stopped and len(reader.text) >= STOP_AFTER:
            stopped.append(time.monotonic())
            other.post(f"/api/chat/messages/{asked['id']}/stop")

    done = reader.follow(on_text)
    _show("\n")
    _need(done["status"] == "stopped" and bool(stopped), f"the answer {done['status']}")
    took = (time.monotonic() - stopped[0]) * 1000
    print_line(f"stopped after {took:.0f} ms; the {len(done['text'])} characters that were written are kept")


def _mixture(client: Client) -> None:
    print_line("asked three agents at once, of which one fails; a fourth makes one answer of theirs")
    mixture = {"proposers": ["demo/fast", "demo/plain", "demo/failing"], "aggregator": "demo/fast", "quorum": 2}
    asked = _say(client, "Which colour should the bicycle shed have?", mixture=mixture)
    reader = Reader(client, asked["id"])
    done = reader.follow(_show)
    _show("\n")
    _need(done["status"] == "completed", f"the answer {done['status']}")
    for proposal in client.get(f"/api/chat/messages/{asked['id']}")["proposals"]:
        why = f": {proposal['error']['message']}" if proposal["error"] else ""
        print_line(f"  {proposal['model']} {proposal['status']}{why}")


def _battle(client: Client) -> None:
    print_line("asked two models side by side, blind, and voted")
    asked = _say(client, "Write a haiku about queues.", battle=["demo/fast", "demo/plain"])
    for answer in asked["answers"]:
        Reader(client, answer).follow(lambda _text: None)
    client.post(f"/api/chat/battles/{asked['battle']}/vote", {"verdict": "winner", "winner": asked["answers"][1]})
    for rating in client.get("/api/chat/ratings")["ratings"]:
        print_line(f"  {rating['model']}: {rating['rating']:.0f} after {rating['battles']} battle")


def _say(client: Client, text: str, **asked: object) -> JsonObject:
    message = {"id": f"msg_{uuid4().hex}", "role": "user", "parts": [{"type": "text", "text": text}]}
    return client.post("/api/chat", {"id": f"demo-{uuid4().hex[:8]}", "message": message} | asked)


def _kill_worker(data_dir: Path) -> int:
    pid = int(read_stack(data_dir)["processes"][WORKER])
    os.kill(pid, signal.SIGKILL)
    return pid


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _need(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ChatFailed(otherwise)
