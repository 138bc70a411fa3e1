"""Actions on remote hosts over SSH. Importing this declares them all; the SSH library is loaded when one runs."""

from orchestration.actions.ssh import (
    command,
    get_ui_home,
    install_custom_nodes,
    reboot_instance,
    set_ui_home,
    setup_civitdl,
    setup_python_venv,
    sync_instance,
    test_civitdl,
    test_ssh,
    verify_dependencies,
)

# Old clients name the actions without their group.
SHORT_NAMES: dict[str, str] = {
    name: f"ssh.{name}"
    for name in (
        "test_ssh",
        "setup_civitdl",
        "test_civitdl",
        "install_custom_nodes",
        "setup_python_venv",
        "set_ui_home",
        "get_ui_home",
        "verify_dependencies",
        "sync_instance",
        "reboot_instance",
    )
}

__all__ = [
    "SHORT_NAMES",
    "command",
    "get_ui_home",
    "install_custom_nodes",
    "reboot_instance",
    "set_ui_home",
    "setup_civitdl",
    "setup_python_venv",
    "sync_instance",
    "test_civitdl",
    "test_ssh",
    "verify_dependencies",
]
