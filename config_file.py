"""The YAML configuration file: its sections as values of settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

WORKFLOW_SECTION = {
    "step_delay": "workflow_step_delay_s",
    "poll_interval": "poll_interval_s",
    "max_history": "max_history",
    "cleanup_delay": "cleanup_delay_s",
    "checkpoint_interval": "checkpoint_interval_steps",
    "state_persistence": "state_persistence",
    "state_file": "state_file",
    "history_dir": "history_dir",
}
"""What the `workflow:` section calls the settings."""


SECTIONS = (
    "rate_limits",
    "breakers",
    "alerts",
    "alert_channels",
    "model_providers",
    "mixtures",
    "chat_filter_options",
)
"""The mappings that the file calls as the settings do."""

VALUES = ("chat_filters", "default_model")
"""What else it calls as the settings do."""

# Who shares the file, or keeps anchors in it, names such words so, as in Compose files.
OTHERS_WORD = "x-"


def read_config_file(path: Path) -> dict[str, Any]:
    """The settings the file gives. Words that begin with `x-` are left alone.

    Raises: ValueError, also for an unknown word, at the top or in the `workflow:` section.
    """
    try:
        content = yaml.safe_load(path.expanduser().read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    workflow = _section(content, "workflow", path)
    known = ("workflow", "actions", *SECTIONS, *VALUES)
    _check_words((word for word in content if not str(word).startswith(OTHERS_WORD)), known, f"{path}: unknown")
    _check_words(workflow, WORKFLOW_SECTION, f"{path}: unknown in workflow")
    values = {WORKFLOW_SECTION[name]: value for name, value in workflow.items()}
    values |= {name: _section(content, name, path) for name in SECTIONS if name in content}
    values |= {name: content[name] for name in VALUES if content.get(name) is not None}
    return values | {"action_defaults": _section(content, "actions", path)}


def _check_words(words: Iterable[object], known: Collection[str], unknown: str) -> None:
    others = sorted(str(word) for word in words if word not in known)
    if others:
        raise ValueError(f"{unknown}: {', '.join(others)}; known: {', '.join(known)}")


def _section(content: object, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{path}: the file must be a mapping of sections")
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise ValueError(f"{path}: {name} must be a mapping")
    return section
