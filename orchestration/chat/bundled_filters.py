"""The filters that come with Perdure: a system prompt, a limit of the context, and two that mask what is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchestration.chat.filters import chat_filter
from orchestration.chat.tokens import estimated_prompt_tokens
from orchestration.redaction import Redactor
from schemas.chat import ChatContext, ChatRole, ContextMessage

MAX_TOKENS = 100_000
EMAIL_MASK = "[e-mail]"

_LOCAL = r"[A-Za-z0-9._%+-]{1,64}"
_EMAIL = re.compile(_LOCAL + r"@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,63}")
_IN_DOMAIN = re.compile(r"[A-Za-z0-9.-]")
# How a text may end in the middle of an address; the longest address has less than 700 characters behind its @.
_OPEN_EMAIL = re.compile(_LOCAL + r"(?:@[A-Za-z0-9.-]{0,700})?\Z")


@chat_filter("system_prompt")
class SystemPrompt:
    """Says the `text` of its options before all messages; instructions that are there already follow it."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.text = str(options.get("text", ""))

    def inlet(self, context: ChatContext) -> ChatContext:
        """The context with the text in front."""
        if not self.text:
            return context
        first, rest = context.messages[0], context.messages[1:]
        if first.role is ChatRole.SYSTEM:
            said = ContextMessage(role=ChatRole.SYSTEM, content=f"{self.text}\n\n{first.content}")
            return context.model_copy(update={"messages": (said, *rest)})
        said = ContextMessage(role=ChatRole.SYSTEM, content=self.text)
        return context.model_copy(update={"messages": (said, *context.messages)})


@chat_filter("trim_context")
class TrimContext:
    """Leaves out the oldest messages until about `max_tokens` are left; keeps instructions and the last message."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.max_tokens = int(options.get("max_tokens", MAX_TOKENS))

    def inlet(self, context: ChatContext) -> ChatContext:
        """The context, shortened where it is too long."""
        messages = context.messages
        if estimated_prompt_tokens(messages) <= self.max_tokens:
            return context
        last = len(messages) - 1
        kept = {place for place, message in enumerate(messages) if message.role is ChatRole.SYSTEM or place == last}
        room = self.max_tokens - estimated_prompt_tokens(messages[place] for place in kept)
        for place in range(last - 1, -1, -1):
            if place in kept:
                continue
            room -= estimated_prompt_tokens((messages[place],))
            if room < 0:
                break
            kept.add(place)
        shorter = [messages[place] for place in sorted(kept)]
        # A conversation that began with an answer would answer to nothing, and some providers refuse it.
        begin = next((n for n, message in enumerate(shorter) if message.role is ChatRole.USER), 0)
        shorter = [m for n, m in enumerate(shorter) if n >= begin or m.role is not ChatRole.ASSISTANT]
        return context.model_copy(update={"messages": tuple(shorter)})


@chat_filter("mask_secrets", on_failure="fail")
class MaskSecrets:
    """Masks what looks like a secret in the answer: tokens of known shapes, passwords in URLs, `password=...`."""

    def __init__(self) -> None:
        self._stream = Redactor().stream()

    def stream(self, text: str) -> str:
        """What can be shown by now; what may be the beginning of a secret waits for more."""
        return self._stream.feed(text)

    def flush(self) -> str:
        """What was held back."""
        return self._stream.flush()


@chat_filter("mask_emails", on_failure="fail")
class MaskEmails:
    """Masks e-mail addresses in the answer."""

    def __init__(self) -> None:
        self._held = ""

    def stream(self, text: str) -> str:
        """What can be shown by now; what may be the beginning of an address waits for more."""
        self._held += text
        return self._give_out(self._open_from())

    def flush(self) -> str:
        """What was held back."""
        return self._give_out(len(self._held))

    def _open_from(self) -> int:
        """Where an address begins that may go on; the end where there is none."""
        place = 0
        found = [match.span() for match in _EMAIL.finditer(self._held)]
        while (open_end := _OPEN_EMAIL.search(self._held, place)) is not None:
            begin = open_end.start()
            start, end = next((span for span in found if span[0] <= begin < span[1]), (begin, begin))
            # Inside of an address that is complete, since something follows that belongs to none: look behind it.
            if start == end or not self._is_end(end):
                return start
            place = end
        return len(self._held)

    def _is_end(self, place: int) -> bool:
        return place < len(self._held) and _IN_DOMAIN.match(self._held, place) is None

    def _give_out(self, limit: int) -> str:
        given, self._held = self._held[:limit], self._held[limit:]
        return _EMAIL.sub(EMAIL_MASK, given)
