"""Pictures of the pages, taken in a real browser of the real stack: `python -m tests.browser.screenshots FOLDER`.

With `--readme` the two small ones that README.md shows are made as well.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.chromium import MISSING, chromium
from tests.browser.site import ENVIRONMENT, TOKEN, Site, running_site, step

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs/images"
README_BYTES = 120_000
SCREENS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}
PAGES = {
    "runs": ("/runs", ".run-row"),
    "runs-failed": ("/runs?status=failed", ".run-row"),
    "runs-empty": ("/runs?q=nothing-is-called-this", ".runs-none"),
    "run-busy": ("/runs/{busy}", ".run-head"),
    "run-failed": ("/runs/{failed}", ".run-head"),
    "run-waiting": ("/runs/{waiting}", ".run-head"),
    "run-step": ("/runs/{failed}/steps/connect/attempts", "article"),
    "run-timeline": ("/runs/{failed}/timeline", ".run-page"),
    "start": ("/start", ".start-form"),
    "start-build": ("/start?mode=build", ".start-form"),
    "chat-new": ("/chat/new", ".thread-examples"),
    "chats": ("/chat", ".conversation"),
    "chat": ("/chat/chat_shown", ".answer .code-block"),
    "chat-mixture": ("/chat/chat_mixture", ".answer .code-block"),
    "chat-arena": ("/chat/chat_arena", ".battle .code-block"),
    "ratings": ("/chat/ratings", ".ratings-table"),
    "workers": ("/workers", "main h2"),
    "dashboard": ("/dashboard?window=5m", ".dash tbody tr"),
    "alerts": ("/alerts", ".alerts-part"),
    "account": ("/account", "main h2"),
}
FINISHED = ("Nightly scan", "Weekly summary", "Import photos", "Rebuild the index", "Rotate keys", "Sync models")


def chat(site: Site) -> None:
    """Conversations with a model, with a mixture of which one agent failed, and in the arena, voted on."""
    demo = [f"demo/{name}" for name in ("plain", "fast", "failing")]
    mixture = {"proposers": demo, "aggregator": "demo/plain"}
    said: dict[str, dict[str, object]] = {
        "chat_shown": {"chatModel": {"provider": "demo", "model": "plain"}},
        "chat_mixture": {"mixture": mixture},
        "chat_arena": {"battle": demo[:2]},
    }
    for name, asked in said.items():
        message = {"parts": [{"type": "text", "text": "How do answers outlive the page they were asked on?"}]}
        answered = site.call("POST", "/api/chat", {"id": name, "message": message, **asked})
        site.wait(answered["taskId"], "completed")
        if answered["battle"]:
            verdict = {"verdict": "winner", "winner": answered["answers"][0]}
            site.call("POST", f"/api/chat/battles/{answered['battle']}/vote", verdict)


def fill(site: Site) -> dict[str, str]:
    """Runs of all kinds; the ids of those that have a page of their own."""
    chat(site)
    for round_ in range(3):
        for n, name in enumerate(FINISHED):
            steps = [step(f"s{i}", label=f"Part {i + 1}") for i in range(2 + (n + round_) % 6)]
            site.wait(site.start(steps, name), "completed")
    fetch, verify = step("fetch", label="Fetch the list"), step("verify", label="Verify the installation")
    install = step("install", "demo.sleep", label="Install custom nodes", seconds=240)
    connect = step("connect", "demo.fail", label="Connect to the host", times=9, message="connection refused")
    connect["retry"] = {"max_attempts": 3, "base_delay_s": 0.2, "max_delay_s": 0.5}
    later = step("call", "demo.fail", label="Call the service", times=9, message="503 from the service")
    later["retry"] = {"max_attempts": 9, "base_delay_s": 200, "max_delay_s": 300}
    approve = step("approve", "wait_for_signal", label="Approve the release", prompt="Ship it?")
    found = {
        "retrying": site.start([fetch, later, verify], "Sync models"),
        "failed": site.start([fetch, connect, verify], "Provision host"),
        "waiting": site.start([fetch, approve, step("publish", label="Publish")], "Release 4.2"),
        "busy": site.start([fetch, install, verify, step("report", label="Report")], "Provision host"),
    }
    site.wait(found["failed"], "failed")
    site.wait(found["waiting"], "waiting", step="approve")
    site.wait(found["busy"], "in_progress", step="install")
    return found


def take(browser: Browser, site: Site, folder: Path, runs: dict[str, str]) -> None:
    """One picture for each page, screen and scheme."""
    for screen, size in SCREENS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(base_url=site.url, color_scheme=scheme, reduced_motion="reduce", **size)
            context.request.post("/auth/exchange", data={"token": TOKEN}, headers={"Origin": site.url})
            page = context.new_page()
            for name, (path, ready) in PAGES.items():
                show(page, path.format(**runs), ready)
                page.screenshot(path=folder / f"{name}-{screen}-{scheme}.png")
            context.close()


def take_for_readme(browser: Browser, site: Site, runs: dict[str, str]) -> None:
    """Those that README.md shows."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    size = ViewportSize(width=1120, height=640)
    context = browser.new_context(base_url=site.url, color_scheme="light", reduced_motion="reduce", viewport=size)
    context.request.post("/auth/exchange", data={"token": TOKEN}, headers={"Origin": site.url})
    page = context.new_page()
    for name, (path, ready) in (("runs", PAGES["runs"]), ("run", PAGES["run-failed"]), ("chat", PAGES["chat"])):
        show(page, path.format(**runs), ready)
        made = IMAGES / f"{name}.png"
        page.screenshot(path=made)
        assert made.stat().st_size < README_BYTES, f"{made} has {made.stat().st_size} bytes"
    context.close()


def show(page: Page, path: str, ready: str) -> None:
    """Open a page and wait until it has read all that it shows."""
    page.goto(path)
    expect(page.locator(ready).first).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)
    expect(page.get_by_text("Connecting", exact=True)).to_be_hidden()


def main() -> None:
    """Start a stack, fill it, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--readme", action="store_true", help="make docs/images/*.png too")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=20_000)
    os.environ.update(ENVIRONMENT)
    with chromium() as browser, tempfile.TemporaryDirectory() as directory:
        if browser is None:
            raise SystemExit(MISSING)
        Path(directory).chmod(0o711)  # the servers run as another user where this one is root
        with running_site(Path(directory) / "stack") as site:
            runs = fill(site)
            take(browser, site, asked.folder, runs)
            if asked.readme:
                take_for_readme(browser, site, runs)
    print(f"{len(list(asked.folder.glob('*.png')))} pictures in {asked.folder}")


if __name__ == "__main__":
    main()
