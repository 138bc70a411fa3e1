"""How pip is called on the host: where packages come from, and into which environment they go."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from orchestration.actions.declaration import ActionParams
from orchestration.actions.ssh.quoting import Plain, RemotePath, quote_path, quote_program, quote_words


def _index_url(url: str) -> str:
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError("must be an http(s) or file URL")
    if "@" in url.split("/", 3)[2]:
        raise ValueError("must hold no credentials; configure them on the host")
    return url


IndexUrl = Annotated[Plain, AfterValidator(_index_url)]


class PipOptions(ActionParams):
    """Parameters of every action that installs Python packages."""

    index_url: IndexUrl | None = Field(None, description="package index; unset: pip's own configuration on the host")
    find_links: RemotePath | None = Field(None, description="directory on the host with packages to install from")
    no_index: bool = Field(False, description="use only `find_links`, no index")

    def pip_arguments(self) -> str:
        """The options as shell words."""
        words = ["--disable-pip-version-check", "--no-input"]
        if self.no_index:
            words.append("--no-index")
        if self.index_url:
            words += ["--index-url", self.index_url]
        text = quote_words(words)
        return f"{text} --find-links {quote_path(self.find_links)}" if self.find_links else text


def python_of(venv: str | None, python: str) -> str:
    """The interpreter as one shell word: that of `venv`, else `python`."""
    return f"{quote_path(venv.rstrip('/') or '/')}/bin/python" if venv else quote_program(python)
