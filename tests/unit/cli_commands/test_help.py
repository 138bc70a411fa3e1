"""The command as a whole: each command explains itself and is on its page."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from cli.main import app
from settings import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")
GROUPS = ("token", "hosts", "alerts", "breakers")
COMMANDS = re.findall(r"^  ([a-z]+)  ", CliRunner().invoke(app, ["--help"]).stdout.partition("Commands:")[2], re.M)


def test_all_commands_are_there() -> None:
    wanted = (
        "up demo migrate token start ps show logs stop pause resume retry restart fork skip signal open hosts actions "
        "alerts breakers"
    )
    assert set(COMMANDS) == set(wanted.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_the_page_shows_one(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert "Show this message and exit." in shown.stdout
    if command not in GROUPS:
        assert re.search(rf"Example:\n +perdure {command}", shown.stdout)
    assert f"perdure {command}" in PAGE


@pytest.mark.parametrize(
    "command",
    [
        "token create",
        "token list",
        "token revoke",
        "hosts list",
        "hosts forget",
        "alerts list",
        "alerts ack",
        "breakers list",
        "breakers reset",
        "breakers force",
    ],
)
def test_help_of_grouped_commands_has_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert f"Example:\n    perdure {command}" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["ps", "--nonsense"], ["show"], ["ps", "--limit", "0"], ["token", "create", "x", "--role", "y"],
        ["logs", "r", "s", "-f", "--attempt", "1"], ["start", "no/such.yaml"], ["signal", "r", "--payload", "["],
        ["fork", "r", "s", "--params", "[1]"], ["demo", "--kill", "everything"], ["open", "sesame"],
        ["breakers", "reset"], ["breakers", "reset", "x", "--all"], ["breakers", "force", "x", "ajar"],
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_2_and_asks_nobody(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "rror" in done.stderr
    assert "Traceback" not in done.stderr
