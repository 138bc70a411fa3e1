"""`ssh.install_custom_nodes`: clone or update a list of repositories and install what they require."""

from __future__ import annotations

import hashlib
import shlex
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import Field, field_validator

from orchestration.actions.context import ActionContext
from orchestration.actions.outcomes import Permanent, Result, Retryable
from orchestration.actions.registry import action
from orchestration.actions.ssh.connection import Host, connect
from orchestration.actions.ssh.custom_node import CLONE_OR_UPDATE, CustomNode, git_environment
from orchestration.actions.ssh.detached import RemoteCommand, is_begun, run_detached
from orchestration.actions.ssh.facts import read_facts
from orchestration.actions.ssh.memory import StepMemory
from orchestration.actions.ssh.node_checklist import NodeChecklist
from orchestration.actions.ssh.pip_options import PipOptions, python_of
from orchestration.actions.ssh.policy import RETRY
from orchestration.actions.ssh.quoting import Program, RemotePath

GIVE_UP = (65, 66)  # statuses of CLONE_OR_UPDATE that another attempt would only repeat


class CustomNodesParams(PipOptions):
    """Which nodes go where."""

    nodes: list[CustomNode] = Field(min_length=1, max_length=500)
    directory: RemotePath = Field("~/ComfyUI/custom_nodes", description="directory of the nodes")
    venv: RemotePath | None = Field(None, description="virtual environment for the requirements; unset: `python`")
    python: Program = "python3"
    requirements: Literal["install", "skip"] = "install"
    max_parallel: int = Field(3, ge=1, le=6, description="nodes worked on at once")

    @field_validator("nodes")
    @classmethod
    def _unique(cls, nodes: list[CustomNode]) -> list[CustomNode]:
        names = [node.name.lower() for node in nodes]
        if len(set(names)) != len(names):
            raise ValueError("two nodes have the same name; their directories would collide")
        return nodes


@action("ssh.install_custom_nodes", queue="ssh", idempotent=True, needs_host=True, timeout_s=7200, retry=RETRY)
def install_custom_nodes(ctx: ActionContext, params: CustomNodesParams) -> Result:
    """Clone or update custom nodes, several at once, each an item of a checklist; a failed one leaves the others be."""
    for node in params.nodes:
        node.check_url(ctx.settings["repository_schemes"])
    with connect(ctx) as host:
        return _Installation(ctx, host, params).run()


class _Installation:
    """The three phases: look at the repositories, install, verify."""

    def __init__(self, ctx: ActionContext, host: Host, params: CustomNodesParams) -> None:
        self.ctx, self.host, self.params = ctx, host, params
        self.memory = StepMemory(ctx)
        self.checklist = NodeChecklist(ctx, [node.name for node in params.nodes])
        self.git = git_environment(ctx.settings["repository_schemes"])
        self.pip_lock = threading.Lock()  # two pips in one environment spoil each other's work
        self.hopeless: set[str] = set()

    def run(self) -> Result:
        with ThreadPoolExecutor(self.params.max_parallel, thread_name_prefix="node") as pool:
            self.checklist.phase(0)
            list(pool.map(self._look, self._good()))
            self.checklist.phase(1)
            self._finish_begun_requirements()
            list(pool.map(self._install, self._good()))
            self.checklist.phase(2)
            verified = self._good()
            commits = dict(zip((node.name for node in verified), pool.map(self._verify, verified), strict=True))
        details = {
            "nodes": [{"name": n.name, "commit": commits.get(n.name) or None} for n in self.params.nodes],
            "failed": dict(self.checklist.failures),
        }
        if self.checklist.failures:
            reason = f"{len(self.checklist.failures)} of {len(self.params.nodes)} nodes failed: " + "; ".join(
                f"{name}: {why}" for name, why in sorted(self.checklist.failures.items())
            )
            # Worth another attempt as long as one of them is.
            raise (Permanent if self.hopeless >= set(self.checklist.failures) else Retryable)(reason, details=details)
        self.checklist.finish()
        return Result(f"{len(self.params.nodes)} custom nodes installed", details)

    def _good(self) -> list[CustomNode]:
        """The nodes that have not failed."""
        return [node for node in self.params.nodes if node.name not in self.checklist.failures]

    def _look(self, node: CustomNode) -> None:
        """Ask the repository what it has, so that a wrong URL shows before anything is installed."""
        self.ctx.raise_if_cancelled()
        script = self.git + f"exec git ls-remote -q --exit-code -- {shlex.quote(node.url)} HEAD >/dev/null"
        done = self.host.run(script, timeout_s=120)
        if done.status != 0:
            self.checklist.fail(node.name, f"the repository cannot be read: {done.said}")
        else:
            self.checklist.found()

    def _install(self, node: CustomNode) -> None:
        """Bring one node to its place. A lost link ends the whole attempt, a fault of the node only its item."""
        self.ctx.raise_if_cancelled()
        self.checklist.begin(node.name, "cloning or updating")
        script = (
            f"{self.git}url={shlex.quote(node.url)}\nref={shlex.quote(node.ref or '')}\n"
            f"place={node.place(self.params.directory)}\n{CLONE_OR_UPDATE}"
        )
        done = run_detached(self.ctx, self.host, self.memory, RemoteCommand(f"node-{_short(node.name)}", script))
        if done.status != 0:
            if done.status in GIVE_UP:
                self.hopeless.add(node.name)
            self.checklist.fail(node.name, done.output)
            return
        if self.params.requirements == "install" and not self._requirements(node):
            return
        self.checklist.complete(node.name)

    def _finish_begun_requirements(self) -> None:
        """See a pip that an earlier attempt began to its end before another one starts."""
        for node in self.params.nodes:
            if is_begun(self.memory, _pip_name(node)):
                self._requirements(node)

    def _requirements(self, node: CustomNode) -> bool:
        self.checklist.begin(node.name, "waiting for its requirements")
        with self.pip_lock:
            self.ctx.raise_if_cancelled()
            self.checklist.begin(node.name, "installing its requirements")
            script = (
                f'file={node.place(self.params.directory)}/requirements.txt\n[ -f "$file" ] || exit 0\n'
                f"exec {python_of(self.params.venv, self.params.python)} -m pip install "
                f'{self.params.pip_arguments()} -r "$file"'
            )
            done = run_detached(self.ctx, self.host, self.memory, RemoteCommand(_pip_name(node), script))
        if done.status != 0:
            self.checklist.fail(node.name, f"its requirements: {done.output}")
        return done.status == 0

    def _verify(self, node: CustomNode) -> str:
        """The commit that is checked out, and nothing half-done about it."""
        self.ctx.raise_if_cancelled()
        place = node.place(self.params.directory)
        facts = read_facts(
            self.host,
            f"cd {place} 2>/dev/null && [ -e .git ] || exit 0\n"
            'echo "commit=$(git rev-parse -q --verify HEAD)"\n'
            'echo "gone=$(git ls-files -d | wc -l)"\n',
        )
        if not facts.get("commit") or facts.get("gone", "").strip() != "0":
            self.checklist.fail(node.name, "the checked-out files are not complete")
        else:
            self.checklist.verified()
        return facts.get("commit", "")


def _pip_name(node: CustomNode) -> str:
    return f"pip-{_short(node.name)}"


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
