"""Secrets by name: files in one directory, or `PERDURE_SECRET_<NAME>`. A secret may say what it is for."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestration.actions.outcomes import Permanent

ENVIRONMENT_PREFIX = "PERDURE_SECRET_"
MAX_SECRET_BYTES = 64 * 1024

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class SecretPolicy(BaseModel):
    """What a secret may be used for; unset means no limit. `*` in a pattern stands for anything.

    An action is a name such as `ssh.setup_civitdl` or `ssh.*`; a host a name such as `*.example.org`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    actions: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None


class SecretStore:
    """Reads secrets when they are asked for, so that a changed file needs no restart.

    `directory` holds one file a secret, and beside it `<name>.policy.json` where the secret is limited. A file wins
    over the environment; a policy binds both. Error messages never hold a value.
    """

    def __init__(self, directory: Path | None, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = {
            name: value for name, value in environment.items() if name.startswith(ENVIRONMENT_PREFIX) and value
        }

    def get(self, name: str, *, action: str, host: str | None = None) -> str:
        """The value of a secret for this action and, where it is sent to one, this host. One final line end is dropped.

        Raises: Permanent when it is missing, unreadable, readable by others, or not meant for this use.
        """
        if not _NAME.fullmatch(name):
            raise Permanent(f"{name[:70]!r} is not the name of a secret")
        self._check_use(name, action, host)
        value = self._from_file(name)
        if value is None:
            value = self._environment.get(ENVIRONMENT_PREFIX + name.upper().replace("-", "_"))
        if value is None:
            raise Permanent(f"the secret {name!r} does not exist; {self._how_to_add(name)}")
        value = value.removesuffix("\n").removesuffix("\r")
        if not value or "\0" in value:
            raise Permanent(f"the secret {name!r} is empty or not text")
        return value

    def _how_to_add(self, name: str) -> str:
        variable = ENVIRONMENT_PREFIX + name.upper().replace("-", "_")
        if self._directory is None:
            return f"set PERDURE_SECRETS_DIR and put it there, or set {variable}"
        return f"put it in the secrets directory as a file {name!r} with mode 0600, or set {variable}"

    def _check_use(self, name: str, action: str, host: str | None) -> None:
        text = self._read(f"{name}.policy.json", others_may=stat.S_IRGRP | stat.S_IROTH)
        if text is None:
            return
        try:
            policy = SecretPolicy.model_validate(json.loads(text))
        except (ValueError, ValidationError):
            # A policy that cannot be read must not open the secret to all.
            raise Permanent(f"the policy of the secret {name!r} is not a map of 'actions' and 'hosts'") from None
        if policy.actions is not None and not _matches(action, policy.actions):
            raise Permanent(f"the secret {name!r} is not for the action {action!r}")
        if policy.hosts is not None and (host is None or not _matches(host.lower(), policy.hosts)):
            raise Permanent(
                f"the secret {name!r} is not for {'the host ' + repr(host) if host else 'use without a host'}"
            )

    def _from_file(self, name: str) -> str | None:
        return self._read(name, others_may=0)

    def _read(self, file_name: str, *, others_may: int) -> str | None:
        """The text of a file in the directory; None when there is none.

        A link may lead to another place inside the directory (mounted secrets are such links), never out of it.
        """
        if self._directory is None:
            return None
        try:
            base = self._directory.resolve(strict=True)
            path = (base / file_name).resolve(strict=True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError):
            raise Permanent(f"the secret file {file_name!r} cannot be reached") from None
        if not path.is_relative_to(base):
            raise Permanent(f"the secret file {file_name!r} is a link that leaves the secrets directory")
        return _read_private(path, file_name, others_may)


def _read_private(path: Path, file_name: str, others_may: int) -> str:
    try:
        # Checked on the open file: between a check by name and the reading it could be exchanged.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Permanent(f"the secret file {file_name!r} cannot be opened: {error.strerror}") from None
    try:
        _check_private(os.fstat(descriptor), file_name, others_may)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > MAX_SECRET_BYTES:
        raise Permanent(f"the secret file {file_name!r} is over {MAX_SECRET_BYTES // 1024} KiB")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Permanent(f"the secret file {file_name!r} is not UTF-8 text") from None


def _check_private(found: os.stat_result, file_name: str, others_may: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Permanent(f"the secret file {file_name!r} is not a plain file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 & ~others_may:
        raise Permanent(
            f"the file {file_name!r} can be changed by others (mode {mode:04o}); chmod 644 it"
            if others_may
            else f"the secret file {file_name!r} is open to others (mode {mode:04o}); chmod 600 it"
        )


def _matches(value: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
