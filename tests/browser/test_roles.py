"""Who may only look sees every control, switched off, with the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, StorageState, expect

from tests.browser.conftest import Visit, sign_in
from tests.browser.site import Site, step

WHY = "Your role, viewer, may only look."


@pytest.fixture(scope="module")
def viewer(browser: Browser, site: Site) -> StorageState:
    return sign_in(browser, site, site.token("viewer"))


@pytest.fixture(scope="module")
def waiting(site: Site) -> Iterator[str]:
    run_id = site.start([step("a"), step("ask", "wait_for_signal", label="Ask")], "Waits")
    site.wait(run_id, "waiting", step="ask")
    yield run_id
    site.stop(run_id)


def is_off(control: Locator) -> None:
    expect(control).to_be_visible()
    expect(control).to_be_disabled()
    expect(control).to_have_attribute("title", WHY)


def test_a_viewer_sees_the_controls_of_a_run_off(site: Site, visit: Visit, viewer: StorageState, waiting: str) -> None:
    failed = site.start([step("a"), step("b", "demo.fail", times=9, permanent=True)])
    site.wait(failed, "failed")
    page = visit(f"/runs/{failed}", storage_state=viewer)
    for name in ("Retry from the failed step", "Restart", "Retry from here", "Skip and go on"):
        is_off(page.get_by_role("button", name=name))
    page.get_by_role("button", name="More controls").click()
    template = page.get_by_role("menuitem", name="Save as template")
    expect(template).to_have_attribute("aria-disabled", "true")
    expect(template).to_contain_text(WHY)
    page.keyboard.press("Escape")
    # A key says why it does nothing.
    page.keyboard.press("r")
    expect(page.locator(".notice")).to_contain_text(WHY)
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.goto(f"/runs/{waiting}/steps/ask")
    is_off(page.get_by_role("button", name="Stop run"))
    is_off(page.get_by_role("button", name="Answer").first)
    is_off(page.get_by_role("button", name="Answer").last)
    page.get_by_role("button", name="This step").click()
    for name in ("Retry from here", "Skip", "Fork from here", "Run this step alone"):
        expect(page.get_by_role("menuitem", name=name)).to_contain_text(WHY)
    assert site.state(waiting)["active"]


def test_a_viewer_starts_and_stops_nothing(site: Site, visit: Visit, viewer: StorageState, waiting: str) -> None:
    page = visit("/start?mode=build", storage_state=viewer)
    panel = page.get_by_role("complementary", name="Start")
    expect(panel.get_by_role("button", name="Start")).to_be_disabled()
    expect(panel).to_contain_text(WHY)
    is_off(panel.get_by_role("button", name="Save as template"))
    page.goto("/runs")
    page.locator(f'.run-row[data-run="{waiting}"]').get_by_role("checkbox").click()
    bar = page.get_by_role("group", name="Selected runs")
    for name in ("Stop", "Pause", "Resume", "Retry"):
        is_off(bar.get_by_role("button", name=name))
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto("/account")
    expect(page.get_by_role("heading", name="This browser")).to_be_visible()
    expect(page.get_by_role("heading", name="Tokens")).to_be_hidden()
