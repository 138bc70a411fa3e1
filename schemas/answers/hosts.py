"""What is answered of hosts."""

from __future__ import annotations

from schemas.answers.parts import Answer, Part


class HostKey(Part):
    """A host whose key is pinned."""

    host: str
    type: str
    fingerprint: str


class HostsAnswer(Answer):
    """The hosts whose keys are pinned."""

    hosts: list[HostKey]
