"""Building a workflow: kept as a template, started from it, and never lost while it is written."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import TOKEN, Site


def add(page: Page, action: str) -> None:
    """Add a step by searching for its action."""
    page.get_by_role("button", name="Add a step").click()
    picker = page.get_by_role("dialog", name="Add a step")
    picker.get_by_role("combobox", name="Search actions").fill(action)
    expect(picker.get_by_role("option").first).to_contain_text(action)
    page.keyboard.press("Enter")
    expect(picker).to_be_hidden()


def test_a_workflow_is_kept_as_a_template_and_started_from_it(site: Site, visit: Visit) -> None:
    name = f"Weekly {uuid.uuid4().hex[:6]}"
    page = visit("/start?mode=build")
    page.get_by_label("Name", exact=True).fill(name)
    add(page, "noop")
    add(page, "demo.sleep")
    start = page.get_by_role("complementary", name="Start").get_by_role("button", name=re.compile("^Start"))
    start.click()
    # What it cannot run without is asked for where it is missing, before anything is sent.
    expect(page.get_by_text("One thing to mend")).to_be_visible()
    seconds = page.get_by_label(re.compile("^seconds", re.IGNORECASE))
    expect(seconds).to_be_focused()
    seconds.fill("0.01")
    expect(page.get_by_text("One thing to mend")).to_be_hidden()
    page.get_by_role("button", name="Save as template").click()
    dialog = page.get_by_role("dialog", name="Save as template")
    dialog.get_by_role("button", name="Save the template").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Use it").click()
    expect(page).to_have_url(re.compile(r"/start\?template="))
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    start.click()
    page.wait_for_url("**/runs/*")
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")
    run = site.state(page.url.rpartition("/")[2])
    assert run["template_id"] == name.lower().replace(" ", "-")
    assert [one["action"] for one in run["steps"]] == ["noop", "demo.sleep"]


def test_what_was_written_survives_a_reload_and_the_end_of_the_session(visit: Visit) -> None:
    page = visit("/start?mode=build")
    name, steps = page.get_by_label("Name", exact=True), page.get_by_role("list", name="Steps")
    name.fill("Half written")
    add(page, "demo.sleep")
    page.get_by_label(re.compile("^seconds", re.IGNORECASE)).fill("12.5")
    page.reload()
    expect(name).to_have_value("Half written")
    expect(steps).to_contain_text("demo.sleep")
    # The session ends, and the page is loaded anew: it asks who one is, and leads back to what was written.
    page.context.clear_cookies()
    page.reload()
    page.wait_for_url("**/sign-in**")
    page.get_by_label(re.compile("token", re.IGNORECASE)).fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/start?mode=build")
    expect(name).to_have_value("Half written")
    steps.get_by_role("button", name=re.compile("demo.sleep")).first.click()
    expect(page.get_by_label(re.compile("^seconds", re.IGNORECASE))).to_have_value("12.5")
