"""Parts of the server go away and come back while a page looks on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step

pytestmark = pytest.mark.fault
BACK_MS = 40_000


def word(page: Page, text: str) -> None:
    """The connection word in the top bar says this."""
    expect(page.locator(".connection")).to_have_text(re.compile(text), timeout=BACK_MS)


def watched(site: Site, visit: Visit) -> tuple[str, Page]:
    """A run with three gates, and a page that follows it."""
    gates = [step(f"gate{n}", "wait_for_signal", label=f"Gate {n}") for n in range(3)]
    run_id = site.start([step("first"), *gates])
    page = visit(f"/runs/{run_id}")
    word(page, "^Live$")
    expect(page.locator(".step-row-waiting")).to_contain_text("Gate 0")
    return run_id, page


def passes(site: Site, page: Page, run_id: str, gate: int) -> None:
    """The gate is opened, and the page shows it."""
    site.signal(run_id, f"gate{gate}")
    expect(page.locator(".step-row-completed")).to_have_count(gate + 2, timeout=BACK_MS)


def test_the_relay_dies_and_the_page_polls_until_it_is_back(site: Site, visit: Visit) -> None:
    run_id, page = watched(site, visit)
    with site.held_down("relay"):
        word(page, "^Polling every 2 s$")
        passes(site, page, run_id, 0)
        word(page, "^Polling every 2 s$")
    word(page, "^Live$")
    passes(site, page, run_id, 1)
    passes(site, page, run_id, 2)
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")


def test_the_api_begins_again_and_the_page_goes_on(site: Site, visit: Visit) -> None:
    run_id, page = watched(site, visit)
    site.kill("web")
    passes(site, page, run_id, 0)
    word(page, "^Live$")
    page.keyboard.press("s")
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.locator(".run-head .status-badge")).to_have_text("cancelled", timeout=BACK_MS)


def test_valkey_is_emptied_and_nothing_is_missed(site: Site, visit: Visit) -> None:
    run_id, page = watched(site, visit)
    passes(site, page, run_id, 0)
    site.wipe_valkey()
    passes(site, page, run_id, 1)
    passes(site, page, run_id, 2)
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")
    word(page, "^Live$")


def test_a_device_without_network_keeps_the_last_state_with_its_time_and_catches_up(site: Site, visit: Visit) -> None:
    run_id, page = watched(site, visit)
    page.context.set_offline(True)
    word(page, r"^Offline, as of \d")
    site.signal(run_id, "gate0")
    site.wait(run_id, "waiting", step="gate1")
    expect(page.locator(".step-row-waiting")).to_contain_text("Gate 0")
    page.context.set_offline(False)
    expect(page.locator(".step-row-waiting")).to_contain_text("Gate 1", timeout=BACK_MS)
    word(page, "^Live$")


def test_the_list_stays_while_the_server_is_away(site: Site, visit: Visit) -> None:
    run_id = site.start([step("hold", "wait_for_signal")], "Seen before")
    page = visit("/runs")
    row = page.locator(f'.run-row[data-run="{run_id}"]')
    expect(row).to_be_visible()
    with site.held_down("web"):
        expect(page.get_by_text(re.compile("^As of .* Trying again"))).to_be_visible(timeout=BACK_MS)
        expect(row).to_be_visible()
    expect(page.get_by_text(re.compile("^As of "))).to_be_hidden(timeout=BACK_MS)
    site.signal(run_id, "hold")
    expect(row.get_by_role("img", name="completed")).to_be_visible(timeout=BACK_MS)


def test_alerts_and_figures_are_asked_for_while_the_relay_is_away(site: Site, visit: Visit) -> None:
    alerts, dashboard = visit("/alerts"), visit("/dashboard?window=5m")
    for page in (alerts, dashboard):
        word(page, "^Live$")
    with site.held_down("relay"):
        word(alerts, "^Polling every 5 s$")
        word(dashboard, "^Polling every 2 s$")
        site.open_alert("while no relay was there")
        expect(alerts.locator(".alert-row", has_text="while no relay was there")).to_be_visible(timeout=BACK_MS)
        site.wait(site.start([step("one", "demo.sleep", seconds=0)], "Counted"), "completed")
        expect(dashboard.get_by_role("row", name=re.compile("demo.sleep")).first).to_be_visible(timeout=BACK_MS)
    for page in (alerts, dashboard):
        word(page, "^Live$")


def test_alerts_are_asked_for_while_valkey_is_away(site: Site, visit: Visit) -> None:
    page = visit("/alerts")
    word(page, "^Live$")
    with site.held_down("valkey"):
        word(page, "^Polling every 5 s$")
        site.open_alert("while no valkey was there")
        expect(page.locator(".alert-row", has_text="while no valkey was there")).to_be_visible(timeout=BACK_MS)
    word(page, "^Live$")
