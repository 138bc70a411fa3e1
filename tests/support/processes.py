"""Whether a process is there, asked without a race."""

from __future__ import annotations

import psutil


def is_alive(pid: int) -> bool:
    """False when the process has ended; one that nobody has collected (a zombie) has ended too.

    It asks once: between a look whether a process exists and a question about it, the process may end.
    """
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cmdline(pid: int) -> list[str]:
    """How the process was started; empty when it has ended."""
    try:
        return psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return []
