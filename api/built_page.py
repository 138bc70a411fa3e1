"""The web page as `make web` built it: files among the static ones, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BuiltPage:
    """Where the page lies. It is looked at with each request: a build may have put another one there."""

    folder: Path = Path(__file__).parent / "static" / "app"

    @property
    def assets(self) -> Path:
        """The files whose names hold a hash of what is in them; most have a compressed one beside them."""
        return self.folder / "assets"

    def index(self) -> bytes | None:
        """What every address of the page answers; None when no page was built."""
        try:
            return (self.folder / "index.html").read_bytes()
        except FileNotFoundError:
            return None
