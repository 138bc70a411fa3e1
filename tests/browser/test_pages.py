"""What holds for every page: it can be used by everybody, on every screen, and it is light."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import ROOT, Visit, cannot
from tests.browser.site import Site, step

AXE = ROOT / "web/node_modules/axe-core/axe.min.js"
FIRST_LOAD_BYTES = 150_000


@pytest.fixture(scope="module")
def runs(site: Site) -> Iterator[dict[str, str]]:
    """A busy, a failed, a waiting and a completed run."""
    fails = step("b", "demo.fail", label="Connect", times=9, permanent=True, message="connection refused")
    busy = step("b", "demo.sleep", label="Install", seconds=600)
    found = {
        "busy": site.start([step("a"), busy, step("c")], "Provision host"),
        "failed": site.start([step("a"), fails, step("c")], "Sync models"),
        "waiting": site.start([step("a"), step("b", "wait_for_signal", label="Approve"), step("c")], "Release"),
        "completed": site.start([step("a"), step("b"), step("c") | {"needs": ["a"]}], "Weekly summary"),
    }
    site.wait(found["busy"], "in_progress", step="b")
    site.wait(found["failed"], "failed")
    site.wait(found["waiting"], "waiting", step="b")
    site.wait(found["completed"], "completed")
    yield found
    for name in ("busy", "waiting"):
        site.call("POST", "/workflow/stop", {"workflow_id": found[name]})


ADDRESSES = {
    "runs": "/runs",
    "no runs": "/runs?q=nothing-is-called-this",
    "busy run": "/runs/{busy}",
    "failed run": "/runs/{failed}",
    "waiting run": "/runs/{waiting}",
    "step": "/runs/{completed}/steps/a/result",
    "log": "/runs/{busy}/steps/b",
    "timeline": "/runs/{completed}/timeline",
    "graph": "/runs/{completed}/graph",
    "trace": "/runs/{failed}/trace",
    "data": "/runs/{completed}/data",
    "start": "/start",
    "build": "/start?mode=build",
    "workers": "/workers",
    "account": "/account",
}
# What is there once the page has read what it shows.
READY = {
    "runs": ".run-row",
    "no runs": ".runs-none",
    "step": "article",
    "log": "article",
    "start": ".start-form",
    "build": ".start-form",
    "workers": "main h2, main table",
    "account": "main h2, main table",
}


def opened(visit: Visit, name: str, runs: dict[str, str], **context: Any) -> Page:
    page = visit(ADDRESSES[name].format(**runs), **context)
    expect(page.locator(READY.get(name, ".run-head")).first).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)
    return page


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_audit_of_accessibility_finds_nothing(visit: Visit, runs: dict[str, str], name: str) -> None:
    if not AXE.exists():
        cannot("axe-core is not installed: run `make web`.")
    # Without motion: a colour halfway through a fade has the contrast of neither end.
    page = opened(visit, name, runs, color_scheme="light", reduced_motion="reduce")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += page.evaluate("axe.run(document, { runOnly: ['color-contrast'] })")["violations"]
    assert not found, "\n".join(map(summary, found))


def summary(violation: dict[str, Any]) -> str:
    places = [" ".join(map(str, node["target"])) for node in violation["nodes"][:4]]
    why = violation["nodes"][0]["failureSummary"].replace("\n", " ")
    return f"{violation['id']} at {places}: {why}"


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit: Visit, runs: dict[str, str], name: str) -> None:
    page = opened(visit, name, runs, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cut_off = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a.button")].filter((one) => {
            const box = one.getBoundingClientRect();
            // Chips and tabs are in a row that scrolls by itself.
            const mayScroll = one.closest(".status-chips, .run-views, nav, .frame-skip");
            return one.checkVisibility() && !mayScroll && box.left < innerWidth && box.right > innerWidth + 1;
        }).map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert cut_off == []


def test_the_first_load_is_light(visit: Visit, runs: dict[str, str]) -> None:
    page = visit("about:blank")
    sizes: dict[str, int] = {}

    def note(response: Response) -> None:
        sizes[response.url] = response.request.sizes()["responseBodySize"]

    page.on("requestfinished", lambda request: note(request.response()) if request.response() else None)
    page.goto(f"/runs/{runs['busy']}")
    expect(page.locator(".connection")).to_have_text("Live")
    code = {url: size for url, size in sizes.items() if "/static/" in url or url.endswith(runs["busy"])}
    assert len(code) > 3
    assert sum(code.values()) < FIRST_LOAD_BYTES, json.dumps(code, indent=1)
