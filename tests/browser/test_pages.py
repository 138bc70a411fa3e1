"""What holds for every page: it can be used by everybody, on every screen, and it is light."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import Visit
from tests.browser.looks import audit, nothing, too_small, too_wide
from tests.browser.site import Site, step

FIRST_LOAD_BYTES = 150_000
ADDRESSES = {
    "runs": "/runs",
    "no runs": "/runs?q=nothing-is-called-this",
    "busy run": "/runs/{busy}",
    "failed run": "/runs/{failed}",
    "waiting run": "/runs/{waiting}",
    "no such run": "/runs/unknown",
    "step": "/runs/{completed}/steps/a/result",
    "attempts": "/runs/{failed}/steps/b/attempts",
    "log": "/runs/{busy}/steps/b",
    "timeline": "/runs/{completed}/timeline",
    "graph": "/runs/{completed}/graph",
    "trace": "/runs/{failed}/trace",
    "data": "/runs/{completed}/data",
    "start": "/start",
    "templates": "/start?mode=template",
    "template": "/start?template=shown",
    "build": "/start?mode=build",
    "chats": "/chat",
    "new chat": "/chat/new",
    "no such chat": "/chat/unknown",
    "ratings": "/chat/ratings",
    "workers": "/workers",
    "dashboard": "/dashboard?window=5m",
    "alerts": "/alerts",
    "account": "/account",
}
# What is there once the page has read what it shows.
READY = {
    "runs": ".run-row",
    "no runs": ".runs-none",
    "no such run": ".empty h1",
    "step": "article",
    "attempts": ".attempt",
    "log": "article",
    "timeline": ".timeline-row",
    "graph": ".graph-node",
    "trace": ".trace-entry",
    "start": ".start-step",
    "templates": ".start-template",
    "template": ".start-panel",
    "build": ".start-form",
    "chats": ".conversations",
    "new chat": ".composer .picker",
    "no such chat": ".empty",
    "ratings": ".ratings .card, .ratings .empty",
    "workers": "main h2, main table",
    "dashboard": ".dash tbody tr",
    "alerts": ".alerts-part",
    "account": "main h2, main table",
}


@pytest.fixture(scope="module", autouse=True)
def template(site: Site) -> None:
    body = {"name": "Shown", "steps": [step("a", wait="{{ params.pause }}")], "params": {"pause": 1}}
    site.call("PUT", "/workflow/templates/shown", body)


def go(page: Page, name: str, runs: dict[str, str]) -> None:
    page.goto(ADDRESSES[name].format(**runs))
    expect(page.locator(READY.get(name, ".run-head")).first).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)


@pytest.mark.parametrize("name", ADDRESSES)
def test_the_audit_of_accessibility_finds_nothing(desk: Page, runs: dict[str, str], name: str) -> None:
    go(desk, name, runs)
    nothing(audit(desk))


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_phone_shows_all_of_it_in_its_width_and_a_finger_hits_it(
    phone: Page, runs: dict[str, str], name: str
) -> None:
    go(phone, name, runs)
    nothing(too_wide(phone))
    nothing(too_small(phone))


def test_a_phone_shows_the_steps_and_an_opened_one_as_a_page(phone: Page, runs: dict[str, str]) -> None:
    phone.goto(f"/runs/{runs['completed']}")
    rows = phone.locator(".step-row")
    expect(rows).to_have_count(3)
    for row in rows.all():
        expect(row).to_be_visible()
    rows.last.tap()
    expect(phone.get_by_role("article")).to_be_visible()
    expect(rows.last).to_be_hidden()
    expect(phone.locator(".run-head")).to_be_hidden()
    phone.get_by_role("link", name="All steps").tap()
    expect(rows.last).to_be_visible()
    expect(phone.locator(".run-head")).to_be_visible()


def test_the_sign_in_page_is_for_everybody_too(visit: Visit) -> None:
    page = visit("/sign-in", storage_state=None, **DESK)
    nothing(audit(page))
    page = visit("/sign-in", storage_state=None, **PHONE)
    nothing(too_wide(page))
    nothing(too_small(page))


def test_the_first_load_is_light(visit: Visit, runs: dict[str, str]) -> None:
    page = visit("about:blank")
    sizes: dict[str, int] = {}

    def note(request: Request) -> None:
        sizes[request.url] = request.sizes()["responseBodySize"]

    page.on("requestfinished", note)
    page.goto(f"/runs/{runs['busy']}")
    expect(page.locator(".connection")).to_have_text("Live")
    code = {url: size for url, size in sizes.items() if "/static/" in url or url.endswith(runs["busy"])}
    assert len(code) > 3
    assert sum(code.values()) < FIRST_LOAD_BYTES, json.dumps(code, indent=1)
