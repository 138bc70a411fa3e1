"""The built-in provider `demo`: works offline, says that it is no language model, and always says the same."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event

from orchestration.actions.outcomes import ActionCancelled, Permanent, Retryable
from orchestration.models.port import Delta, ModelRequest, OnClose
from schemas.chat import ChatRole, ContextMessage, Usage

NAME = "demo"
LABEL = "Demo (no language model)"

BREAKS_OFF_AFTER = 20


@dataclass(frozen=True)
class _Model:
    """How one of the demo's models behaves. `tokens_per_s` 0: as fast as it can. `thinks_s`: before its first token."""

    label: str
    tokens_per_s: float = 30
    first_token_s: float = 0.3
    sections: int = 1
    thinks_s: float = 0


MODELS = {
    "plain": _Model("plain: 30 tokens a second"),
    "fast": _Model("fast: no pauses", tokens_per_s=0, first_token_s=0),
    "slow": _Model("slow: 5 tokens a second", tokens_per_s=5, first_token_s=2),
    "thinking": _Model("thinking: thinks for 8 seconds first", thinks_s=8),
    "long": _Model("long: some minutes at 30 tokens a second", sections=60),
    "flaky": _Model(f"flaky: breaks off after {BREAKS_OFF_AFTER} tokens, and goes on when it is asked again"),
    "failing": _Model("failing: never answers", first_token_s=0.5),
}


class DemoModels:
    """The provider. Its answers are made of the messages alone (`answer_text`), so that tests can say what they are."""

    name = NAME
    continues = True

    def models(self) -> Sequence[str]:
        return tuple(MODELS)

    def stream(self, request: ModelRequest, on_close: OnClose) -> Iterator[Delta]:
        """Write the answer at the model's pace, from the prefix on where that is its beginning, else all of it.

        Raises: Permanent (`model.refused`) for `failing`, Retryable (`model.cut_off`) for `flaky`, ActionCancelled once
        it is closed.
        """
        model = MODELS[request.model]
        closed = Event()
        on_close(closed.set)
        text = answer_text(request.model, request.messages)
        rest = text.removeprefix(request.prefix)
        yield from _paced(request, model, tokens_of(rest), closed, begun=request.prefix != "" and rest != text)


def answer_text(model: str, messages: Sequence[ContextMessage]) -> str:
    """What `demo/<model>` answers to these messages: Markdown with a list, code and a link."""
    asked = next((message.content for message in reversed(messages) if message.role is ChatRole.USER), "")
    quoted = " ".join(asked.split())[:80] or "nothing"
    number = hashlib.sha256("\0".join(f"{m.role}:{m.content}" for m in messages).encode()).hexdigest()[:8]
    head = (
        f"**This is the demo model `{model}`.** It is no language model: it repeats what it was told and answers the "
        f"same to the same.\n\nYou said: *{quoted}*\n"
    )
    turns = f"I was told {len(messages)} message{'s' if len(messages) != 1 else ''}, which I know as `{number}`."
    sections = [_section(turns, quoted, number)]
    sections += [_section(f"Part {part}.", quoted, f"{number}-{part}") for part in range(2, MODELS[model].sections + 1)]
    return "\n".join([head, *sections])


def tokens_of(text: str) -> list[str]:
    """The pieces it is sent in: words with the space behind them. Joined, they are the text."""
    return re.findall(r"\s*\S+\s*", text)


def _section(first: str, quoted: str, number: str) -> str:
    return (
        f"{first} Here is a list:\n\n"
        f"1. It has {len(quoted)} characters of what you said.\n"
        "2. It is written piece by piece, by a run that goes on when you leave.\n"
        "3. It can be stopped from any device.\n\n"
        "Some code:\n\n"
        f'```python\ndef answer() -> str:\n    """Number {number}."""\n    return "{number}"\n```\n\n'
        "To ask a real model, [name a provider](https://platform.openai.com/docs/api-reference/chat) in the settings.\n"
    )


def _paced(
    request: ModelRequest, model: _Model, tokens: Sequence[str], closed: Event, *, begun: bool
) -> Iterator[Delta]:
    limit = request.parameters.max_tokens
    allowed = len(tokens) if limit is None else min(limit, len(tokens))
    pause_s = 1 / model.tokens_per_s if model.tokens_per_s else 0.0
    # By the clock and not from token to token: else each reader that takes its time would slow the next one down.
    next_at = time.monotonic() + model.first_token_s
    if model.thinks_s:
        _wait(closed, model.first_token_s)
        yield Delta(is_thinking=True)
        next_at += model.thinks_s
    for place in range(allowed):
        _wait(closed, next_at - time.monotonic())
        if request.model == "failing":
            raise Permanent("the demo model 'failing' fails, as its name says", code="model.refused")
        if request.model == "flaky" and not begun and place == BREAKS_OFF_AFTER:
            raise Retryable("the demo model 'flaky' broke off, as its name says", code="model.cut_off")
        yield Delta(tokens[place])
        next_at = max(next_at + pause_s, time.monotonic() - 1)
    _wait(closed, 0)
    told = sum(len(tokens_of(message.content)) for message in request.messages)
    yield Delta(
        finish_reason="stop" if allowed == len(tokens) else "length",
        usage=Usage(prompt_tokens=told, completion_tokens=allowed),
    )


def _wait(closed: Event, seconds: float) -> None:
    if closed.wait(seconds) if seconds > 0 else closed.is_set():
        raise ActionCancelled("the answer was closed")
