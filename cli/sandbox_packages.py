"""What the sandbox host installs and clones: a few tiny wheels and git repositories, made on the spot, no network."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

CIVITDL = "civitdl-sandbox"
CIVITDL_VERSION = "2.2.0"
NODES = ("upscaler", "controlnet-aux", "impact-pack", "manager")

_CIVITDL_CODE = f'''\
"""A stand-in for civitdl: the same commands and configuration file, nothing is downloaded."""
import json
import os
import pathlib
import sys

PATH = pathlib.Path(os.environ.get("XDG_CONFIG_HOME") or pathlib.Path.home() / ".config") / "civitdl" / "config.json"


def civitdl():
    if "--version" in sys.argv:
        print("civitdl v{CIVITDL_VERSION}")
        return 0
    print("the sandbox downloads nothing", file=sys.stderr)
    return 1


def civitconfig():
    if not PATH.exists():
        PATH.parent.mkdir(parents=True, exist_ok=True)
        PATH.write_text(json.dumps({{"version": "1", "default": {{"sorter": "basic", "api_key": ""}}}}, indent=2))
    print("Default:")
    return 0
'''
_HELPER_CODE = '''\
"""What the sandbox's custom nodes import."""


def scale(value, by=2):
    return value * by
'''


def build_wheels(directory: Path) -> None:
    """Write the wheels that `pip --no-index --find-links DIRECTORY` finds."""
    directory.mkdir(parents=True, exist_ok=True)
    _wheel(
        directory,
        CIVITDL,
        CIVITDL_VERSION,
        {"civitdl_sandbox.py": _CIVITDL_CODE},
        {"civitdl": "civitdl_sandbox:civitdl", "civitconfig": "civitdl_sandbox:civitconfig"},
    )
    _wheel(directory, "sandbox-node-helper", "1.1.0", {"sandbox_node_helper.py": _HELPER_CODE}, {})


def build_repositories(directory: Path, environment: Mapping[str, str]) -> None:
    """Make one bare repository a node, each with a `requirements.txt`. Left as they are when they exist."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in NODES:
        if not (directory / f"{name}.git").exists():
            _repository(directory, name, environment)


def _repository(directory: Path, name: str, environment: Mapping[str, str]) -> None:
    files = {
        "__init__.py": f'"""Custom node {name}."""\nNODE_CLASS_MAPPINGS = {{}}\n',
        "requirements.txt": "sandbox-node-helper>=1\n",
        "README.md": f"# {name}\n\nA custom node of the sandbox.\n",
    }
    work = directory / f"{name}.work"
    partial = directory / f"{name}.partial"
    work.mkdir(exist_ok=True)
    for file, text in files.items():
        (work / file).write_text(text, encoding="utf-8")
    author = {"NAME": "Sandbox", "EMAIL": "sandbox@localhost", "DATE": "2026-01-01T00:00:00Z"}
    variables = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in author.items()}

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=work, env={**environment, **variables}, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", f"Add the node {name}")
    git("tag", "v1.0")
    git("clone", "-q", "--bare", ".", str(partial))
    partial.rename(directory / f"{name}.git")


def _wheel(directory: Path, name: str, version: str, modules: Mapping[str, str], commands: Mapping[str, str]) -> None:
    """Write a pure wheel by hand: a zip file of modules and metadata needs no build backend."""
    base = f"{name.replace('-', '_')}-{version}"
    info = f"{base}.dist-info"
    files = dict(modules)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: perdure\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if commands:
        lines = "".join(f"{command} = {target}\n" for command, target in commands.items())
        files[f"{info}/entry_points.txt"] = "[console_scripts]\n" + lines
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[record] += f"{record},,\n"
    with zipfile.ZipFile(directory / f"{base}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
    return f"sha256={digest}"
