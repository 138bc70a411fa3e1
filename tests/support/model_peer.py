"""The stand-in model server as tests hold it: started as a process of its own, told what to do, asked what it saw."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any

from settings import ROOT
from tests.support.model_server import Asked, Behaviour


class ModelServer:
    """Runs while it is entered. `base_url` is what a provider's setting names."""

    def __enter__(self) -> ModelServer:
        command = [sys.executable, "-m", "tests.support.model_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)

    def behave(self, model: str, **words: Any) -> None:
        """From now on answers of this model go like this (`Behaviour`), where the request's own name says nothing."""
        self._call("POST", "/control/behave", {"model": model, "behaviour": asdict(Behaviour(**words))})

    def reset(self) -> None:
        """Forget all requests and behaviours."""
        self._call("POST", "/control/reset", {})

    def seen(self, model: str | None = None) -> list[Asked]:
        """The requests since the reset, of a model's full name where one is given."""
        found = [Asked(**asked) for asked in self._call("GET", "/control")["requests"]]
        return [asked for asked in found if model in (None, asked.model)]

    def open_connections(self) -> int:
        """How many clients are connected now."""
        return int(self._call("GET", "/control")["open"])

    def _call(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
