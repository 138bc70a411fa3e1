"""Every example of docs/cli.md, run with the real command against a real stack, from top to bottom."""

from __future__ import annotations

import re
import subprocess

import pytest

from settings import ROOT
from tests.integration.cli_commands.conftest import Perdure

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
BLOCK = re.compile(r"^```(sh|text|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = (ROOT / "docs" / "cli.md").read_text("utf-8")


def test_every_example_prints_what_is_shown(perdure: Perdure) -> None:
    printed = ""
    for kind, block in BLOCK.findall(TEXT):
        if kind == "yaml":
            name, _, text = block.partition("\n")
            (perdure.cwd / name.removeprefix("# ")).write_text(text)
        elif kind == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block],
                env=perdure.environment, cwd=perdure.cwd, capture_output=True, text=True, timeout=90, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            printed = done.stdout
        else:
            check_shown(block, printed)


def check_shown(shown: str, printed: str) -> None:
    """Each line that is shown was printed, in this order; `…` is any text, and spaces may be more or fewer."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for wanted in shown.splitlines():
        parts = [re.escape(" ".join(part.split())) for part in wanted.split("…")]
        pattern = re.compile(r"\s*.*\s*".join(parts) + r"\s*")
        assert any(pattern.fullmatch(line) for line in lines), f"not printed: {wanted}\n---\n{printed}"
