"""Each action on a real SSH server, run twice: the second time nothing breaks and nothing is done again."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import stat
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.demo_workflow import demo_workflow, make_sync_folder
from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import load_actions
from schemas.workflow import WorkflowSpec
from tests.integration.ssh.conftest import listing
from tests.support.action_context import RecordingServices
from tests.support.sandbox_host import SandboxHost

KEY = "k3y-0f-civitai"


def act(ctx: ActionContext, name: str, **params: Any) -> Result:
    declared = load_actions()[f"ssh.{name}"]
    result = declared.function(ctx, declared.params.model_validate(params))
    assert isinstance(result, Result)
    json.dumps(result.details)
    return result


def services() -> RecordingServices:
    return RecordingServices(secrets={"civitai": KEY})


def packages(sandbox: SandboxHost) -> dict[str, Any]:
    return {"no_index": True, "find_links": sandbox.facts["packages"]}


@pytest.fixture(scope="module")
def venv(sandbox: SandboxHost) -> str:
    """A virtual environment on the host, made once."""
    act(sandbox.context(), "setup_python_venv", path="~/shared venv")
    return "~/shared venv"


@pytest.mark.slow(60)
def test_the_demo_workflow_runs_from_its_first_step_to_its_last(
    tmp_path: Path, real_home: tuple[Path, dict[str, tuple[int, int]]]
):
    with SandboxHost.start(tmp_path / "demo") as own:
        make_sync_folder(own.settings()["sync_root"])
        workflow = WorkflowSpec.model_validate(demo_workflow(own.facts))
        assert len(workflow.steps) == 10
        assert workflow.ssh == own.target()
        said = services()
        for round_ in range(2):  # the whole of it twice, as two runs
            for step in workflow.steps:
                ctx = own.context(said, run_id=f"run-{round_}-{step.key}")
                result = act(ctx, step.action.removeprefix("ssh."), **step.params)
                assert result.message
        assert KEY not in said.log_text
        assert KEY not in json.dumps(said.checkpoints)
        models = own.home / "ComfyUI" / "models"
        assert (models / "vae" / "small-3.safetensors").stat().st_size == 600_000
        assert not list((own.home / ".perdure").iterdir())
    home, before = real_home
    assert listing(home) == before


def test_test_ssh_tells_name_and_uptime(sandbox: SandboxHost):
    for _ in range(2):
        result = act(sandbox.context(), "test_ssh")
        assert result.details["hostname"] == os.uname().nodename
        assert result.details["uptime"]
        assert result.message.startswith(f"Connected to {os.uname().nodename}")


def test_verify_dependencies_tells_what_is_there(sandbox: SandboxHost):
    details = act(sandbox.context(), "verify_dependencies").details
    assert details["python"].startswith("3.")
    assert details["git"]
    assert details["disk_free_gb"] > 0
    assert details["missing"] == []


def test_verify_dependencies_lists_all_that_is_missing(sandbox: SandboxHost):
    with pytest.raises(Permanent) as refused:
        act(
            sandbox.context(),
            "verify_dependencies",
            commands=["git", "no-such-tool", "nor-this"],
            min_python="9.9",
            min_disk_gb=999_999,
            path="/no/such/path",
        )
    for part in ("no-such-tool is not", "nor-this is not", "older than 9.9", "999999 GB are needed"):
        assert part in refused.value.reason


def test_a_virtual_environment_is_made_once_and_kept(sandbox: SandboxHost):
    params = {"path": "~/env a", "packages": ["sandbox-node-helper"], **packages(sandbox)}
    first = act(sandbox.context(), "setup_python_venv", **params)
    marker = sandbox.home / "env a" / "marker"
    marker.touch()
    second = act(sandbox.context(), "setup_python_venv", **params)
    assert first.details["created"]
    assert not second.details["created"]
    assert marker.exists()
    assert list((sandbox.home / "env a").glob("lib/python*/site-packages/sandbox_node_helper.py"))


def test_civitdl_is_installed_configured_and_tested(sandbox: SandboxHost, venv: str):
    config = sandbox.home / ".config" / "civitdl" / "config.json"
    config.unlink(missing_ok=True)
    params = {"package": "civitdl-sandbox", "venv": venv, **packages(sandbox)}
    with pytest.raises(Permanent, match="setup_civitdl"):
        act(sandbox.context(), "test_civitdl", venv=venv)
    for _ in range(2):
        said = services()
        result = act(sandbox.context(said), "setup_civitdl", **params, version="2.2.0", api_key={"secret": "civitai"})
        assert result.message == "civitdl 2.2.0 installed, API key configured"
        assert KEY not in said.log_text + str(result)
        stored = json.loads(config.read_text())
        assert stored["default"] == {"sorter": "basic", "api_key": KEY}
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        tested = act(sandbox.context(), "test_civitdl", venv=venv)
        assert tested.details == {
            "version": "2.2.0",
            "api_key_configured": True,
            "config_private": True,
            "api_status": None,
        }


def test_civitdl_can_be_installed_for_the_user_alone_or_says_why_not(sandbox: SandboxHost):
    params = {"package": "civitdl-sandbox", "config_path": "~/own/config.json", **packages(sandbox)}
    # The sandbox's Python is the one that runs this.
    if Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        with pytest.raises(Permanent, match="give `venv`"):
            act(sandbox.context(services()), "setup_civitdl", **params, api_key={"secret": "civitai"})
        return
    result = act(sandbox.context(services()), "setup_civitdl", **params, api_key={"secret": "civitai"})
    assert result.details["config_path"] == str(sandbox.home / "own" / "config.json")
    tested = act(sandbox.context(), "test_civitdl", config_path="~/own/config.json")
    assert tested.details["api_key_configured"]


class _Service(http.server.BaseHTTPRequestHandler):
    """Answers with the status that its path names."""

    keys: list[str | None] = []

    def do_GET(self) -> None:
        self.keys.append(self.headers.get("Authorization"))
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/200")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_service_is_called_only_when_asked_for(sandbox: SandboxHost, venv: str, service: str):
    params = {"package": "civitdl-sandbox", "venv": venv, **packages(sandbox)}
    act(sandbox.context(services()), "setup_civitdl", **params, api_key={"secret": "civitai"})

    def ask(status: int, *, check: bool = True) -> Result:
        url = f"{service}/{status}"
        return act(sandbox.context(), "test_civitdl", venv=venv, check_api=check, api_url=url)

    _Service.keys.clear()
    assert ask(200, check=False).details["api_status"] is None
    assert _Service.keys == []
    assert ask(200).details["api_status"] == 200
    assert _Service.keys == [f"Bearer {KEY}"]
    with pytest.raises(Permanent, match="refused the API key"):
        ask(401)
    with pytest.raises(Retryable, match="503"):
        ask(503)
    _Service.keys.clear()
    with pytest.raises(Permanent, match="302"):
        ask(302)
    assert len(_Service.keys) == 1  # the key did not travel on


def nodes_of(sandbox: SandboxHost, *names: str) -> list[dict[str, str]]:
    return [{"name": name, "url": f"file://{sandbox.facts['repositories']}/{name}.git"} for name in names]


@pytest.mark.slow
def test_custom_nodes_are_installed_in_three_phases_each_with_its_own_state(sandbox: SandboxHost, venv: str):
    nodes = nodes_of(sandbox, "upscaler", "controlnet-aux", "impact-pack", "manager")
    params = {"nodes": nodes, "directory": "~/ui a/nodes", "venv": venv, "max_parallel": 2, **packages(sandbox)}
    said = services()
    first = act(sandbox.context(said), "install_custom_nodes", **params)
    assert all(len(node["commit"]) == 40 for node in first.details["nodes"])
    assert (sandbox.home / "ui a" / "nodes" / "manager" / "requirements.txt").exists()
    assert {progress.type for progress in said.said} == {"multi_phase"}
    percents = [progress.percent or 0 for progress in said.said]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    by_phase = {n: [p.percent or 0 for p in said.said if p.active_phase == n] for n in range(3)}
    assert max(by_phase[0]) == 10
    assert max(by_phase[1]) == 60
    states = [[item.state for item in progress.items or ()] for progress in said.said]
    assert states[0] == ["pending"] * 4
    assert any("active" in state for state in states)
    assert max(state.count("active") for state in states) <= 2
    assert states[-1] == ["completed"] * 4
    second = act(sandbox.context(), "install_custom_nodes", **params)
    assert second.details["nodes"] == first.details["nodes"]


def test_a_node_is_updated_to_what_its_repository_has(sandbox: SandboxHost, tmp_path: Path):
    source = tmp_path / "source.git"
    shutil.copytree(Path(sandbox.facts["repositories"]) / "manager.git", source)
    url = f"file://{source}"
    params: dict[str, Any] = {"directory": "~/updated", "requirements": "skip"}
    first = act(sandbox.context(), "install_custom_nodes", nodes=[{"name": "n", "url": url}], **params)
    work = tmp_path / "work"
    for command in (
        ["git", "clone", "-q", str(source), str(work)],
        [
            "git",
            "-C",
            str(work),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
        ["git", "-C", str(work), "push", "-q", "origin", "HEAD"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    second = act(sandbox.context(), "install_custom_nodes", nodes=[{"name": "n", "url": url}], **params)
    assert first.details["nodes"][0]["commit"] != second.details["nodes"][0]["commit"]
    pinned = [{"name": "n", "url": url, "ref": first.details["nodes"][0]["commit"]}]
    third = act(sandbox.context(), "install_custom_nodes", nodes=pinned, **params)
    assert third.details["nodes"] == first.details["nodes"]
    tagged = act(sandbox.context(), "install_custom_nodes", nodes=[{"name": "n", "url": url, "ref": "v1.0"}], **params)
    assert tagged.details["nodes"] == first.details["nodes"]


def test_one_bad_node_leaves_the_others_be_and_is_named(sandbox: SandboxHost):
    nodes = [*nodes_of(sandbox, "upscaler", "no-such-repository"), {**nodes_of(sandbox, "manager")[0], "ref": "v9"}]
    (sandbox.home / "partly" / "occupied").mkdir(parents=True)
    nodes.append({**nodes_of(sandbox, "impact-pack")[0], "name": "occupied"})
    said = services()
    with pytest.raises(Retryable) as failed:
        act(sandbox.context(said), "install_custom_nodes", nodes=nodes, directory="~/partly", requirements="skip")
    failures = (failed.value.details or {})["failed"]
    assert set(failures) == {"no-such-repository", "manager", "occupied"}
    assert "no branch, tag or commit v9" in failures["manager"]
    assert "not a git repository" in failures["occupied"]
    assert (sandbox.home / "partly" / "upscaler" / "README.md").exists()
    assert [item.state for item in said.said[-1].items or ()] == ["completed", "failed", "failed", "failed"]


def test_a_repository_of_another_scheme_is_refused_before_anything_happens(sandbox: SandboxHost):
    ctx = sandbox.context(settings={"repository_schemes": ("https", "ssh")})
    with pytest.raises(Permanent, match="PERDURE_REPOSITORY_SCHEMES"):
        act(ctx, "install_custom_nodes", nodes=nodes_of(sandbox, "manager"))


def test_ui_home_is_set_read_replaced_and_nothing_else_in_the_profile_changes(sandbox: SandboxHost):
    profile = sandbox.home / ".test profile"
    profile.write_text("export BEFORE=1\nalias x='y'")  # no newline at the end
    profile.chmod(0o640)
    params = {"profile": "~/.test profile"}
    with pytest.raises(Permanent, match="not set"):
        act(sandbox.context(), "get_ui_home", **params)
    assert act(sandbox.context(), "get_ui_home", **params, required=False).details["ui_home"] is None
    path = sandbox.home / "It's a $HOME"
    first = act(sandbox.context(), "set_ui_home", path="~/It's a $HOME", create=True, **params)
    assert first.details["changed"]
    assert not act(sandbox.context(), "set_ui_home", path="~/It's a $HOME", **params).details["changed"]
    assert act(sandbox.context(), "get_ui_home", **params).details == {
        "ui_home": str(path),
        "variable": "UI_HOME",
        "exists": True,
    }
    act(sandbox.context(), "set_ui_home", path="~/other", create=True, **params)
    text = profile.read_text()
    assert text.startswith("export BEFORE=1\nalias x='y'\n# >>>")
    assert text.count("UI_HOME=") == 1
    assert stat.S_IMODE(profile.stat().st_mode) == 0o640
    shown = subprocess.run(["sh", "-c", f". '{profile}'; echo $UI_HOME"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == str(sandbox.home / "other")


def test_ui_home_must_be_a_directory_and_a_damaged_mark_costs_nothing(sandbox: SandboxHost):
    with pytest.raises(Permanent, match="not a directory"):
        act(sandbox.context(), "set_ui_home", path="~/nowhere")
    profile = sandbox.home / ".damaged"
    profile.write_text("# >>> perdure UI_HOME >>>\nexport KEEP=1\n")
    act(sandbox.context(), "set_ui_home", path="~", profile="~/.damaged")
    assert "export KEEP=1" in profile.read_text()
    linked = sandbox.home / ".linked"
    linked.symlink_to(sandbox.home / ".damaged")
    act(sandbox.context(), "set_ui_home", path="~", profile="~/.linked", variable="OTHER")
    assert linked.is_symlink()
    assert "export OTHER=" in profile.read_text()


def test_a_command_runs_with_its_words_environment_and_secret_input(sandbox: SandboxHost):
    words = act(sandbox.context(), "command", argv=["printf", "%s|", "a b", "$HOME", "`id`", "'", '"', ""])
    assert words.details == {"exit_code": 0, "output": "a b|$HOME|`id`|'|\"||"}
    script = 'read -r key; printf "%s %s %s" "$VALUE" "${#key}" "$(pwd)"'
    ctx = sandbox.context(services())
    value = "'; touch pwned; '"
    (sandbox.home / "in here").mkdir(exist_ok=True)
    result = act(ctx, "command", script=script, env={"VALUE": value}, cwd="~/in here", stdin={"secret": "civitai"})
    assert result.details["output"] == f"{value} {len(KEY)} {sandbox.home}/in here"
    assert not list(sandbox.home.rglob("pwned"))


def test_a_command_that_fails_says_its_status_and_last_words(sandbox: SandboxHost):
    with pytest.raises(Retryable, match="status 3: oh no"):
        act(sandbox.context(), "command", script="echo oh no; exit 3")
    with pytest.raises(Permanent, match="127"):
        act(sandbox.context(), "command", argv=["no-such-program"])
    assert act(sandbox.context(), "command", script="exit 3", ok_codes=[0, 3]).details["exit_code"] == 3


def test_a_reboot_is_waited_for_and_a_later_attempt_waits_for_the_same_one(sandbox: SandboxHost):
    boot_id = Path(sandbox.facts["boot_id_file"])
    params = {"boot_id_command": ["cat", str(boot_id)], "wait_s": 30, "poll_s": 0.1}
    before = boot_id.read_text()
    said = services()
    result = act(sandbox.context(said, run_id="reboot"), "reboot_instance", **params)
    after = boot_id.read_text()
    assert result.details["boot_id"] == after.strip() != before.strip()
    # The worker died just before the result was committed: the next attempt sees that it is done.
    again = act(sandbox.context(run_id="reboot", restored=said.last_checkpoint), "reboot_instance", **params)
    assert again.details["boot_id"] == after.strip()
    assert boot_id.read_text() == after


def test_a_reboot_that_is_refused_or_never_comes_is_said(sandbox: SandboxHost):
    boot_id = {"boot_id_command": ["cat", sandbox.facts["boot_id_file"]]}
    with pytest.raises(Permanent, match="status 1"):
        act(sandbox.context(), "reboot_instance", reboot_command=["sudo", "reboot"], **boot_id)
    with pytest.raises(Retryable, match="did not come back"):
        act(sandbox.context(), "reboot_instance", reboot_command=["true"], wait_s=0.5, poll_s=0.1, **boot_id)
    with pytest.raises(Permanent, match="boot_id_command"):
        act(sandbox.context(), "reboot_instance", boot_id_command=["false"])
