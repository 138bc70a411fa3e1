"""What stands around every page: the palette finds runs, keys are shown, and notifications are quiet."""

from __future__ import annotations

import re
import uuid
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step

# No window of a headless browser is ever hidden, and nobody sees a notification of it: both are stood in for.
TOLD = """
window.told = [];
window.away = false;
Object.defineProperty(document, "hidden", { get: () => window.away });
window.Notification = class {
  static permission = "default";
  static asked = 0;
  static async requestPermission() { this.asked += 1; this.permission = "granted"; return "granted"; }
  constructor(title, options) { window.told.push({ title, ...options }); }
  close() {}
};
"""


def test_the_palette_finds_a_run_and_opens_it(site: Site, visit: Visit) -> None:
    name = f"Sought {uuid.uuid4().hex[:6]}"
    run_id = site.start([step("a")], name)
    site.wait(run_id, "completed")
    page = visit("/workers")
    expect(page.get_by_role("heading", name="Workers").first).to_be_visible()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search and commands")
    field = palette.get_by_role("combobox")
    expect(field).to_be_focused()
    field.fill(name)
    expect(palette.get_by_role("option", name=re.compile(name))).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/runs/{run_id}$"))
    expect(palette).to_be_hidden()
    # By its id, from another run's page; and commands by their names.
    page.goto(f"/runs/{site.early}")
    page.keyboard.press("Control+k")
    field.fill(run_id)
    palette.get_by_role("option", name=re.compile(name)).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.keyboard.press("Control+k")
    field.fill("go to wor")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/workers$"))
    page.keyboard.press("Control+k")
    field.fill("nothing is called this")
    expect(palette.get_by_text("Nothing is called “nothing is called this”.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_the_keys_of_a_page_are_shown_and_lead_about(site: Site, visit: Visit) -> None:
    page = visit(f"/runs/{site.early}")
    expect(page.locator(".step-row").first).to_be_visible()
    # The list shows the keys that there are when it opens.
    expect(page.get_by_role("button", name="Stop run")).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Stop the run")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/steps/"))
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(f"/runs/{site.early}$"))
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/runs$"))


def told(page: Page) -> list[dict[str, Any]]:
    notifications: list[dict[str, Any]] = page.evaluate("window.told")
    return notifications


def ends(site: Site, page: Page, *, away: bool) -> str:
    """A run that is looked at ends, while the page is seen or not."""
    run_id = site.start([step("hold", "wait_for_signal")], "Watched")
    page.goto(f"/runs/{run_id}")
    expect(page.locator(".step-row-waiting")).to_be_visible()
    page.evaluate("(away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }", away)
    site.signal(run_id, "hold")
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")
    return run_id


def test_notifications_come_only_when_they_are_wanted_and_nobody_looks(site: Site, visit: Visit) -> None:
    page = visit("about:blank")
    page.add_init_script(TOLD)
    page.goto("/runs")
    ends(site, page, away=True)
    assert told(page) == [], "they are off until they are switched on"
    assert page.evaluate("Notification.asked") == 0, "nobody is asked unbidden"
    page.evaluate("window.away = false")
    page.get_by_role("button", name=re.compile("^Account")).click()
    page.get_by_role("switch", name="Notifications").click()
    expect(page.get_by_role("switch", name="Notifications")).to_be_checked()
    page.add_init_script("Notification.permission = 'granted'")
    ends(site, page, away=False)
    assert told(page) == [], "who sees it needs no telling"
    run_id = ends(site, page, away=True)
    page.wait_for_function("window.told.length > 0")
    (one,) = told(page)
    assert one["title"] == "Watched"
    assert one["body"].startswith("Completed: ")
    assert one["tag"] == f"/runs/{run_id}"
    assert one["silent"] is True
