"""One request to a provider, and its answer. Imported by the first request only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpcore2
import httpx2
from openai import APIConnectionError, APIStatusError, OpenAI
from openai import omit as left_out

from orchestration.actions.outcomes import ActionCancelled
from orchestration.models.answers import AnswerReader, EchoDropper, Malformed, SaidError
from orchestration.models.failures import Failures
from orchestration.models.port import Delta, ModelRequest
from orchestration.models.wire import Wire
from schemas.model_providers import ProviderSpec

# How long to wait for what may follow an answer that has ended: its usage, and the end of the body, without which the
# connection cannot serve another request.
TAIL_S = 2.0
DRAIN_S = 0.25

_BROKEN = (httpcore2.NetworkError, httpcore2.ProtocolError)
_NOT_REACHED = (APIConnectionError, httpcore2.TimeoutException, *_BROKEN)


class Asking:
    """One request. `wire.cut`, from any thread, ends it and its connection at once."""

    def __init__(
        self, client: OpenAI, spec: ProviderSpec, request: ModelRequest, key: str | None, failures: Failures
    ) -> None:
        self._client = client
        self._spec = spec
        self._request = request
        self._key = key
        self._failures = failures
        self._reader = AnswerReader()
        self.wire = Wire()

    def deltas(self) -> Iterator[Delta]:
        """The answer, as of `LanguageModel.stream`."""
        self.wire.end_within(self._spec.timeout_s)
        self.wire.expect_within(self._spec.first_token_s)
        response = self._send()
        try:
            for text in self._new(self._texts(response)):
                yield Delta(text, is_thinking=not text)
            last = self._reader.last()
            if last is None:
                raise self._failures.cut_off("it ended without a finish reason")
        finally:
            # Before the connection may be the next request's, which a late cut must not hit.
            self.wire.let_go()
            response.close()
        yield last

    def _send(self) -> httpx2.Response:
        """The head of an answer that can be read."""
        try:
            response = self._sent()
        except _NOT_REACHED as error:
            # A kept connection that the provider closed at that moment: nothing was answered, and a new one may do.
            if not (isinstance(_cause(error), _BROKEN) and self.wire.reused) or self.wire.is_cut:
                raise self._not_reached(error) from None
            try:
                response = self._sent()
            except _NOT_REACHED as again:
                raise self._not_reached(again) from None
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind in ("application/json", "text/html"):
            response.close()
            raise self._failures.malformed(f"it is {kind} where a stream was asked for")
        return response

    def _sent(self) -> httpx2.Response:
        headers: Any = {
            "Authorization": f"Bearer {self._key}" if self._key else left_out,
            "Accept-Encoding": "identity",  # each piece is to be read as it comes
            "User-Agent": "perdure",
        }
        try:
            with self.wire.in_use():
                entered = self._client.chat.completions.with_streaming_response.create(
                    **self._body(), extra_headers=headers
                ).__enter__()
        except APIStatusError as error:
            self._raise_if_cut()
            raise self._failures.status(error.status_code, error.body, error.response.headers) from None
        response: httpx2.Response = entered.http_response
        return response

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
        return body | parameters | ({"extra_body": extra} if extra else {})

    def _texts(self, response: httpx2.Response) -> Iterator[str]:
        """The pieces as they come, an empty one where it thinks. What goes wrong once it has ended does not matter."""
        try:
            yield from self._read(response)
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

    def _read(self, response: httpx2.Response) -> Iterator[str]:
        reader, wire = self._reader, self.wire
        has_thought = False
        for data in response.stream:  # type: ignore[union-attr]  # ours is read by this thread, never by a loop
            self._raise_if_cut()
            alive = False
            for text in reader.feed(data):
                alive = True
                if text or (reader.thinking and not has_thought):
                    has_thought = has_thought or not text
                    yield text
            if reader.ended:
                wire.expect_within(DRAIN_S)
            elif reader.finish_reason is not None:
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
        cause = _cause(error)
        if isinstance(cause, httpcore2.ConnectTimeout):
            return self._failures.timeout(f"no connection within {self._spec.connect_s:g} s")
        if isinstance(cause, httpcore2.TimeoutException):
            return self._failures.timeout(self._too_long())
        return self._failures.unreachable(str(cause) or type(cause).__name__)

    def _too_long(self) -> str:
        spec = self._spec
        if spec.timeout_s is not None and self.wire.is_over:
            return f"no whole answer within {spec.timeout_s:g} s"
        if self._reader.begun:
            return f"no further token within {spec.idle_s:g} s"
        return f"no token within {spec.first_token_s:g} s"


def _cause(error: Exception) -> BaseException:
    """What happened on the connection, whether or not the client wrapped it."""
    return error.__cause__ or error if isinstance(error, APIConnectionError) else error
