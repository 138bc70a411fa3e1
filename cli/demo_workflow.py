"""The workflow that `make demo` runs on the sandbox host: provisioning a ComfyUI-type machine, small and local."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.sandbox_packages import CIVITDL, NODES

SECRET = "civitai"
"""Name of the secret that the workflow reads; the demo presets it as PERDURE_SECRET_CIVITAI."""

SYNC_FOLDER = "demo-models"
"""Folder under PERDURE_SYNC_ROOT that the workflow copies to the host."""

REPOSITORY_SCHEMES = "https,ssh,file"
"""What PERDURE_REPOSITORY_SCHEMES must be, for the sandbox's local repositories."""


def demo_workflow(sandbox: Mapping[str, Any]) -> dict[str, Any]:
    """A start body for the sandbox whose ready file says `sandbox`."""
    packages = {"no_index": True, "find_links": sandbox["packages"]}
    venv, ui = "~/venv", "~/ComfyUI"
    civitdl = {"venv": venv, "package": CIVITDL}
    nodes = [{"name": name, "url": f"file://{sandbox['repositories']}/{name}.git"} for name in NODES]
    nodes[0]["ref"] = "v1.0"
    steps = [
        ("connect", "ssh.test_ssh", "Test the connection", {}),
        ("dependencies", "ssh.verify_dependencies", "Verify the dependencies", {"min_disk_gb": 0.1}),
        ("venv", "ssh.setup_python_venv", "Create the virtual environment", {"path": venv}),
        (
            "civitdl",
            "ssh.setup_civitdl",
            "Set up civitdl",
            {**civitdl, **packages, "api_key": {"secret": SECRET}},
        ),
        ("test-civitdl", "ssh.test_civitdl", "Test civitdl", civitdl),
        (
            "nodes",
            "ssh.install_custom_nodes",
            "Install the custom nodes",
            {"nodes": nodes, "directory": f"{ui}/custom_nodes", "venv": venv, "max_parallel": 2, **packages},
        ),
        ("set-ui-home", "ssh.set_ui_home", "Set UI_HOME", {"path": ui}),
        ("get-ui-home", "ssh.get_ui_home", "Read UI_HOME", {}),
        ("sync", "ssh.sync_instance", "Copy the models", {"local": SYNC_FOLDER, "remote": f"{ui}/models"}),
        (
            "reboot",
            "ssh.reboot_instance",
            "Reboot the host",
            {"boot_id_command": ["cat", sandbox["boot_id_file"]], "wait_s": 60, "poll_s": 0.3},
        ),
    ]
    return {
        "name": "Provision the sandbox host",
        "ssh": {name: sandbox[name] for name in ("host", "user", "port", "key")},
        "steps": [
            {"key": key, "action": action, "label": label, "params": params} for key, action, label, params in steps
        ],
    }


def make_sync_folder(sync_root: Path) -> None:
    """Put a few small files where the workflow copies them from."""
    folder = sync_root / SYNC_FOLDER
    for number, kind in enumerate(("checkpoints", "loras", "vae"), start=1):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"small-{number}.safetensors").write_bytes(bytes([number]) * 200_000 * number)
