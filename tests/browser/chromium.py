"""The browser that the tests drive: what this machine has, found once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# It asks nobody for updates, and works in a container without a graphics card.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Without motion: a colour halfway through a fade has the contrast of neither end.
DESK: dict[str, Any] = {"color_scheme": "light", "reduced_motion": "reduce"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "reduced_motion": "reduce",
}
MISSING = (
    "There is no Chromium: install one (apt-get install chromium, or python -m playwright install chromium), "
    "or name one in the variable CHROMIUM."
)


def find_chromium(playwright: Playwright) -> str | None:
    """The path of a Chromium or of what is made from it; None when there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    found = (shutil.which(name) for name in NAMES)
    places = (place for place in (*ELSEWHERE, playwright.chromium.executable_path) if Path(place).exists())
    return next((path for path in (*found, *places) if path), None)


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """A headless browser; None when this machine has none."""
    with sync_playwright() as playwright:
        path = find_chromium(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


if __name__ == "__main__":
    with sync_playwright() as found_by:
        print(path := find_chromium(found_by))
    raise SystemExit(path is None)
