"""What the documents name exists: links, settings, make targets, commands, queues; their Python runs."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer
import yaml
from click import Context, Group

from config_file import WORKFLOW_SECTION
from messaging.celery_app import celery_settings
from orchestration.actions import registry
from orchestration.actions.testing import Recorder, make_context
from orchestration.engine.planning import INTERACTIVE_QUEUES, plan_workflow
from schemas.statuses import Role
from schemas.workflow import WorkflowSpec
from settings import Settings, load_settings, variable_of

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
WORKERS = ("worker-io", "worker-interactive", "worker-cpu", "worker-cpu-interactive")
OPERATED = ("Procfile", "docker-compose.yml", "Dockerfile", "cli/processes.py")
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
# Not settings: read by the command line and by secrets, see docs/security.md and docs/cli.md.
OTHER_VARIABLES = {"PERDURE_TOKEN", "PERDURE_URL"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text_of(name), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def command_words() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each `perdure ...` in the documents, with its words."""
    for name in NAMES:
        prose = [line for line in text_of(name).splitlines() if "pages.PERDURE" not in line]
        for match in re.finditer(
            r"(?:(?<=`)|^|(?<=exec web )|(?<=bin/))perdure ((?:[a-z]+ ?)+)", "\n".join(prose), re.M
        ):
            yield name, tuple(match.group(1).split())


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{name}: {target}"
        assert found.is_relative_to(ROOT), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(found), f"{name}: {target}"


@pytest.mark.parametrize("name", [*NAMES, "docker-compose.yml", "Dockerfile", "Procfile", ".env.example"])
def test_variables_that_are_named_are_settings(name):
    known = {variable_of(field, info) for field, info in Settings.model_fields.items()} | OTHER_VARIABLES
    named = set(re.findall(r"\bPERDURE_[A-Z][A-Z0-9_]*\b(?!<|_<)", text_of(name)))
    # `PERDURE_SECRET_<NAME>` and examples of it.
    unknown = {variable for variable in named if variable not in known and not variable.startswith("PERDURE_SECRET")}
    assert not unknown


def test_every_setting_is_in_its_page():
    page = text_of("docs/configuration.md")
    for field, info in Settings.model_fields.items():
        assert f"`{variable_of(field, info)}`" in page


def test_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    assert {"demo", "up", "test", "test-fast"} <= targets
    for name in NAMES:
        named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text_of(name), re.MULTILINE))
        assert named <= targets, name


def test_commands_that_are_named_exist():
    from cli.main import app

    group: Any = typer.main.get_command(app)
    seen = set()
    for name, words in command_words():
        command: Any = group
        for word in words:
            if not isinstance(command, Group) and not hasattr(command, "get_command"):
                break  # an argument of the command
            found = command.get_command(Context(command), word)
            assert found is not None, f"{name}: perdure {' '.join(words)}"
            command = found
        seen.add(words[0])
    assert {"up", "demo", "migrate", "start", "show", "retry", "open", "token"} <= seen


def test_queues_of_actions_are_consumed_and_documented():
    used = {
        declared.queue for declared in registry.load_actions().values() if not declared.name.startswith(("t.", "shop."))
    }
    default = celery_settings("redis://localhost/0")["task_default_queue"]
    table = re.findall(
        r"^\| `([a-z-]+)` \| `(?:io|interactive|cpu|cpu-interactive)`", text_of("docs/operations.md"), re.MULTILINE
    )
    assert used | {default, *INTERACTIVE_QUEUES.values()} == set(table)
    for name in OPERATED:
        if "celery" in text_of(name) and "-Q" in text_of(name):
            named = re.findall(r'-Q"?,? "?([a-z,-]+)', text_of(name))
            assert {queue for queues in named for queue in queues.split(",")} == set(table), name


def test_every_direct_dependency_is_explained():
    wanted = re.findall(r"^([a-z][a-z0-9-]*)", text_of("requirements.in"), re.MULTILINE)
    built_with = re.findall(r"^([a-z][a-z0-9-]*)", text_of("requirements-node.in"), re.MULTILINE)
    web = json.loads(text_of("web/package.json"))
    page = text_of("docs/dependencies.md")
    named = [*wanted, *built_with, *web["dependencies"], *web["devDependencies"]]
    assert [name for name in named if not re.search(rf"(?<!\w){re.escape(name)}\b", page)] == []
    explained = re.findall(r"^\| ([a-z@][a-z0-9@./-]*) \|", page, re.MULTILINE)
    extra = re.findall(
        r"\"([a-z0-9-]+)>=",
        text_of("pyproject.toml").partition("[project.optional-dependencies]")[2].partition("\n[")[0],
    )
    assert set(explained) - {"package"} == {*wanted, *extra, *web["dependencies"]}


def test_lock_files_name_no_registry():
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-node.lock"):
        assert "://" not in text_of(name), name
    assert '"resolved"' not in text_of("web/package-lock.json")


def test_every_decision_is_in_the_list_and_says_the_three_things():
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    listed = re.findall(r"\]\((0[^)]+\.md)\)", text_of("docs/decisions/README.md"))
    assert [record.name for record in records] == listed
    for number, record in enumerate(records, start=1):
        text = record.read_text("utf-8")
        assert text.startswith(f"# {number:04} "), record.name
        for word in ("**Context.**", "**Decision.**", "**Consequence.**"):
            assert word in text, f"{record.name}: {word}"


@pytest.mark.parametrize("name", ["docs/quick-reference.md", "docs/flow-control.md"])
def test_workflows_of_the_documents_can_be_started(name):
    for text in blocks(name, "yaml"):
        workflow = WorkflowSpec.model_validate(yaml.safe_load(text))
        assert len(plan_workflow(workflow, registry.load_actions(), Role.OPERATOR)) == len(workflow.steps)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("docs/configuration.md", {"workflow", "actions"}),
        ("docs/chat-filters.md", {"chat_filters", "chat_filter_options"}),
        ("docs/models.md", {"model_providers", "mixtures", "default_model"}),
        ("docs/alerts.md", {"alerts", "alert_channels"}),
        ("docs/flow-control.md", {"rate_limits"}),
    ],
)
def test_settings_the_documents_show_in_yaml_are_read_from_the_file(monkeypatch, tmp_path, name, words):
    found: dict[str, Any] = {}
    # Blocks without a language too, as the pages show them.
    for text in re.findall(r"^```(?:yaml)?\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL):
        if text.partition(":")[0] in words:
            found |= yaml.safe_load(text)
    assert set(found) == words
    file = tmp_path / "perdure.yaml"
    file.write_text(yaml.safe_dump(found))
    monkeypatch.setenv("PERDURE_CONFIG", str(file))
    read = load_settings(attach=False)
    assert read.action_defaults == found.pop("actions", {})
    for word, value in found.items():
        section = value if word == "workflow" else {word: value}
        for inner, expected in section.items():
            got = getattr(read, WORKFLOW_SECTION[inner] if word == "workflow" else inner)
            assert (list(got) if isinstance(got, tuple) else got) == expected, inner


def test_action_of_the_readme_goes_on_from_its_checkpoint():
    (code,) = [block for block in blocks("README.md", "python") if "team.crawl" in block]
    names: dict[str, Any] = {"__name__": "readme"}
    try:
        exec(compile(code, "README.md", "exec", dont_inherit=True), names)
        recorder = Recorder()
        assert names["crawl"](make_context(recorder), names["Params"](pages=5)) == {"pages": 5}
        assert recorder.checkpoints[-1] == 5
        from orchestration.actions import Retryable

        with pytest.raises(Retryable, match="13"):
            names["crawl"](make_context(), names["Params"](pages=20))
    finally:
        registry._actions.pop("team.crawl", None)


def test_older_state_documents_are_read_as_the_guide_says():
    for code in blocks("docs/migrating.md", "python"):
        exec(compile(code, "docs/migrating.md", "exec", dont_inherit=True), {"__name__": "migrating"})


def test_compose_keeps_what_operations_promise():
    services = yaml.safe_load(text_of("docker-compose.yml"))["services"]
    assert {"postgres", "valkey", "migrate", "web", "relay", "flower", "proxy", *WORKERS} == set(services)
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        command = service.get("command", [])
        if "gunicorn" in command:
            assert "--no-control-socket" in command, name
            assert "api.server_log.ServerLog" in command, name
        for variable, value in (service.get("environment") or {}).items():
            if "PASSWORD" in variable or "AUTH" in variable or "TOKEN" in variable or variable.endswith("_URL"):
                assert ":?" in value, f"{name}: {variable} must be refused when it is not set"
    for name in WORKERS:
        worker = services[name]
        assert int(worker["stop_grace_period"].removesuffix("s")) > int(worker["environment"]["PERDURE_DRAIN_S"]) + 10
        assert "container_name" not in worker, "it could not be scaled"
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", text_of("docker-compose.yml")))
    offered = set(re.findall(r"^([A-Z_]+)=", text_of(".env.example"), re.MULTILINE))
    assert needed <= offered
    address = services["proxy"]["networks"]["edge"]["ipv4_address"]
    assert services["web"]["environment"]["PERDURE_TRUSTED_PROXIES"] == address


def test_new_env_makes_passwords_once(tmp_path):
    (tmp_path / "deploy").mkdir()
    for name in (".env.example", "deploy/new-env.sh"):
        (tmp_path / name).write_text(text_of(name))
    script = ["sh", str(tmp_path / "deploy" / "new-env.sh")]
    subprocess.run(script, check=True, capture_output=True)
    made = (tmp_path / ".env").read_text()
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    secrets = re.findall(r"^\w*(?:PASSWORD|TOKEN)=([0-9a-f]{48})$", made, re.MULTILINE)
    assert len(secrets) == len(set(secrets)) == 4
    again = subprocess.run(script, capture_output=True, text=True)
    assert again.returncode == 1
    assert (tmp_path / ".env").read_text() == made
    assert not [entry for entry in tmp_path.glob(".env.*") if entry.name != ".env.example"]


def test_proxy_sends_open_connections_to_the_relay():
    config = text_of("deploy/nginx.conf")
    for path in ("/workflow/events", "/socket.io/", "/workflow/state"):
        assert re.search(rf"location =? ?{re.escape(path)} {{", config), path
    assert '"~^GET:." relay:8401;' in config


def test_picture_is_of_light_and_dark_and_says_what_it_shows():
    picture = text_of("docs/images/design.svg")
    assert "prefers-color-scheme: dark" in picture
    assert "<title" in picture
    assert "<desc" in picture
    assert not re.search(r'(?:href|src)="https?:', picture)


@pytest.mark.parametrize("name", [*NAMES, "Dockerfile", "docker-compose.yml", "deploy/nginx.conf", ".env.example"])
def test_no_path_of_anybodys_machine_is_committed(name):
    # Examples name /srv and /tmp; homes and work trees are somebody's.
    assert not re.search(r"(?<![\w.])/(?:home|Users|root|work)/", text_of(name))
