"""One request to a provider, and its answer. Imported by the first request only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpcore2

from orchestration.actions.outcomes import ActionCancelled
from orchestration.models.answers import AnswerReader, EchoDropper, Malformed, SaidError
from orchestration.models.failures import Failures
from orchestration.models.port import Delta, ModelRequest
from orchestration.models.wire import Answer, Connections, Wire
from schemas.model_providers import ProviderSpec

# How long to wait for what may follow an answer that has ended: its usage, and the end of the body, without which the
# connection cannot serve another request.
TAIL_S = 2.0
DRAIN_S = 0.25

# So much of what a refusal says is read.
MAX_REFUSAL_BYTES = 256 * 1024

_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError)
_NOT_REACHED = (httpcore2.TimeoutException, *_BROKEN)


class Asking:
    """One request. `wire.cut`, from any thread, ends it and its connection at once."""

    def __init__(
        self,
        connections: Connections,
        spec: ProviderSpec,
        request: ModelRequest,
        authorization: str,
        failures: Failures,
    ) -> None:
        """`authorization`: the header that says who asks; may be empty."""
        self._connections = connections
        self._spec = spec
        self._request = request
        self._authorization = authorization
        self._failures = failures
        self._reader = AnswerReader()
        self.wire = Wire()

    def deltas(self) -> Iterator[Delta]:
        """The answer, as of `LanguageModel.stream`."""
        self.wire.end_within(self._spec.timeout_s)
        self.wire.expect_within(self._spec.first_token_s)
        answer = self._send()
        try:
            for text in self._new(self._texts(answer)):
                yield Delta(text, is_thinking=not text)
            last = self._reader.last()
            if last is None:
                raise self._failures.cut_off("it ended without a finish reason")
        finally:
            # Before the connection may be the next request's, which a late cut must not hit.
            self.wire.let_go()
            answer.close()
        yield last

    def _send(self) -> Answer:
        """The head of an answer that can be read."""
        try:
            answer = self._sent()
        except _NOT_REACHED as error:
            # A kept connection that the provider closed at that moment: nothing was answered, and a new one may do.
            if not (isinstance(error, _BROKEN) and self.wire.reused) or self.wire.is_cut:
                raise self._not_reached(error) from None
            try:
                answer = self._sent()
            except _NOT_REACHED as again:
                raise self._not_reached(again) from None
        if not 200 <= answer.status < 300:
            raise self._refused(answer)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if kind in ("application/json", "text/html"):
            answer.close()
            raise self._failures.malformed(f"it is {kind} where a stream was asked for")
        return answer

    def _sent(self) -> Answer:
        body = json.dumps(self._body(), separators=(",", ":")).encode()
        with self.wire.in_use():
            return self._connections.post("/chat/completions", body, self._authorization)

    def _refused(self, answer: Answer) -> Exception:
        said = b""
        try:
            said = answer.beginning(MAX_REFUSAL_BYTES)
        except _NOT_REACHED:  # its status says enough
            self._raise_if_cut()
        finally:
            self.wire.let_go()
            answer.close()
        try:
            body: object = json.loads(said)
        except ValueError:
            body = said.decode("utf-8", "replace")
        return self._failures.status(answer.status, body, answer.headers)

    def _body(self) -> dict[str, Any]:
        request, spec = self._request, self._spec
        messages: list[dict[str, Any]] = [
            {"role": message.role.value, "content": message.content} for message in request.messages
        ]
        extra: dict[str, Any] = {}
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
            match spec.continues:
                case "vllm":
                    extra = {"continue_final_message": True, "add_generation_prompt": False}
                case "deepseek" | "mistral":
                    messages[-1]["prefix"] = True
        body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": True}
        parameters = request.parameters.model_dump(exclude_none=True, mode="json")
        if not parameters["stop"]:
            del parameters["stop"]
        if "max_tokens" in parameters:
            body[spec.limit_word] = parameters.pop("max_tokens")
        if spec.usage:
            body["stream_options"] = {"include_usage": True}
        return body | parameters | extra

    def _texts(self, answer: Answer) -> Iterator[str]:
        """The pieces as they come, an empty one where it thinks. What goes wrong once it has ended does not matter."""
        try:
            yield from self._read(answer)
        except Malformed as error:
            raise self._failures.malformed(str(error)) from None
        except SaidError as error:
            raise self._failures.said(error.error) from None
        except httpcore2.TimeoutException:
            self._raise_if_cut()
            if self._reader.last() is None:
                raise self._failures.timeout(self._too_long()) from None
        except _BROKEN:
            self._raise_if_cut()
            if self._reader.last() is None:
                raise self._failures.cut_off("the connection was closed in its midst") from None

    def _read(self, answer: Answer) -> Iterator[str]:
        reader, wire = self._reader, self.wire
        has_thought = False
        tail: float | None = None
        for data in answer.pieces():
            self._raise_if_cut()
            alive = False
            for text in reader.feed(data):
                alive = True
                if text or (reader.thinking and not has_thought):
                    has_thought = has_thought or not text
                    yield text
            # Each of the first two once: what still comes must not keep an answer that has ended.
            if reader.ended:
                if tail != DRAIN_S:
                    tail = DRAIN_S
                    wire.expect_within(DRAIN_S)
            elif reader.finish_reason is not None:
                if tail is None:
                    tail = TAIL_S
                    wire.expect_within(TAIL_S)
            elif alive:
                wire.expect_within(self._spec.idle_s)
        self._raise_if_cut()

    def _new(self, texts: Iterator[str]) -> Iterator[str]:
        """The texts, without the prefix where the provider repeats it."""
        if self._spec.continues != "mistral" or not self._request.prefix:
            yield from texts
            return
        dropper = EchoDropper(self._request.prefix)
        for text in texts:
            if new := dropper.feed(text):
                yield new
        if held := dropper.flush():
            yield held

    def _raise_if_cut(self) -> None:
        if self.wire.is_cut:
            raise ActionCancelled("the answer was closed")

    def _not_reached(self, error: Exception) -> Exception:
        self._raise_if_cut()
        if isinstance(error, httpcore2.LocalProtocolError):  # whose words hold the key
            return self._failures.unsendable()
        if isinstance(error, httpcore2.ConnectTimeout):
            return self._failures.timeout(f"no connection within {self._spec.connect_s:g} s")
        if isinstance(error, httpcore2.TimeoutException):
            return self._failures.timeout(self._too_long())
        return self._failures.unreachable(str(error) or type(error).__name__)

    def _too_long(self) -> str:
        spec = self._spec
        if spec.timeout_s is not None and self.wire.is_over:
            return f"no whole answer within {spec.timeout_s:g} s"
        if self._reader.begun:
            return f"no further token within {spec.idle_s:g} s"
        return f"no token within {spec.first_token_s:g} s"
