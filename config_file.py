"""The YAML configuration file: its sections as values of settings."""

from __future__ import annotations

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


def read_config_file(path: Path) -> dict[str, Any]:
    """The settings the file gives. Sections of other programs in it are left alone.

    Raises: ValueError, also for an unknown word in the `workflow:` section.
    """
    try:
        content = yaml.safe_load(path.expanduser().read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    workflow = _section(content, "workflow", path)
    unknown = sorted(str(word) for word in set(workflow) - set(WORKFLOW_SECTION))
    if unknown:
        raise ValueError(f"{path}: unknown in workflow: {', '.join(unknown)}; known: {', '.join(WORKFLOW_SECTION)}")
    values = {WORKFLOW_SECTION[name]: value for name, value in workflow.items()}
    for name in ("rate_limits", "breakers", "alerts", "alert_channels", "model_providers", "mixtures"):
        if name in content:
            values[name] = _section(content, name, path)
    return values | {"action_defaults": _section(content, "actions", path)}


def _section(content: object, name: str, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{path}: the file must be a mapping of sections")
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise ValueError(f"{path}: {name} must be a mapping")
    return section
