"""What can be done with a run and its steps: each control says what it will do, and does it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step

FAILS: dict[str, Any] = {"times": 9, "permanent": True, "message": "the disk is full"}


def status(page: Page) -> Locator:
    return page.locator(".run-head .status-badge")


def chosen(page: Page, control: str) -> Locator:
    """The dialog of what was chosen for the opened step."""
    page.get_by_role("button", name="This step").click()
    page.get_by_role("menuitem", name=control).click()
    return page.get_by_role("dialog")


def led_on(page: Page, before: str) -> str:
    """The id of the run that the page has gone to."""
    page.wait_for_url(lambda url: "/runs/workflow_" in url and before not in url)
    return page.url.rpartition("/runs/")[2].partition("/")[0]


def test_a_fork_begins_a_new_run_with_changed_parameters(site: Site, visit: Visit) -> None:
    steps = [step("a"), step("b", "demo.sleep", label="Rest", seconds=0.05), step("c", label="Report")]
    run_id = site.start(steps, "Forked later")
    site.wait(run_id, "completed")
    page = visit(f"/runs/{run_id}/steps/b/parameters")
    dialog = chosen(page, "Fork from here")
    expect(dialog).to_contain_text("A new run begins. Rest, Report run again in it.")
    expect(dialog).to_contain_text("It keeps 1 result of this one.")
    seconds, fork = (
        dialog.get_by_label(re.compile("^seconds", re.IGNORECASE)),
        dialog.get_by_role("button", name="Fork"),
    )
    seconds.fill("-1")
    expect(dialog.get_by_text("Some parameters are not right yet.")).to_be_visible()
    expect(fork).to_be_disabled()
    seconds.fill("0.01")
    fork.click()
    forked = led_on(page, run_id)
    expect(status(page)).to_have_text("completed")
    expect(page.locator(".run-head-facts").get_by_role("link", name=run_id)).to_be_visible()
    state = site.state(forked)
    assert state["forked_from"] == run_id
    assert [one["attempt"] for one in state["steps"]] == [0, 1, 1], "the first step's result was kept"
    assert state["steps"][1]["result"]["details"]["slept_s"] == 0.01
    assert site.state(run_id)["steps"][1]["result"]["details"]["slept_s"] == 0.05


def test_a_failed_step_is_skipped_and_the_run_goes_on(site: Site, visit: Visit) -> None:
    run_id = site.start([step("a"), step("b", "demo.fail", label="Sync", **FAILS), step("c", label="Report")])
    site.wait(run_id, "failed")
    page = visit(f"/runs/{run_id}")
    page.get_by_role("button", name="Skip and go on").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Sync is left as skipped and the run goes on behind it.")
    expect(dialog).to_contain_text("1 step that needs it goes on without its result.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(status(page)).to_have_text("failed")
    page.get_by_role("button", name="Skip and go on").click()
    page.get_by_role("dialog").get_by_role("button", name="Skip").click()
    expect(status(page)).to_have_text("completed")
    expect(page.locator(".step-row-skipped")).to_contain_text("Sync")
    expect(page.locator(".run-says")).to_contain_text("1 skipped")


def test_a_restart_begins_a_new_run_of_the_same_workflow(site: Site, visit: Visit) -> None:
    run_id = site.start([step("a"), step("b", label="Report")], "Begun again")
    site.wait(run_id, "completed")
    page = visit(f"/runs/{run_id}")
    page.get_by_role("button", name="Restart").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 steps run from the beginning.")
    dialog.get_by_role("button", name="Restart").click()
    again = led_on(page, run_id)
    expect(status(page)).to_have_text("completed")
    expect(page.get_by_role("heading", name="Begun again")).to_be_visible()
    assert [one["attempt"] for one in site.state(again)["steps"]] == [1, 1]
    assert site.state(run_id)["status"] == "completed"


def test_one_step_is_run_alone(site: Site, visit: Visit) -> None:
    steps = [step("a"), step("b", "demo.sleep", label="Rest", seconds=0.01), step("c", "demo.fail", **FAILS)]
    run_id = site.start(steps)
    site.wait(run_id, "failed")
    page = visit(f"/runs/{run_id}/steps/b")
    dialog = chosen(page, "Run this step alone")
    expect(dialog).to_contain_text("A new run of this one step begins. Nothing else runs, and this run stays as it is.")
    dialog.get_by_role("button", name="Run it").click()
    alone = led_on(page, run_id)
    expect(status(page)).to_have_text("completed")
    expect(page.locator(".step-row")).to_have_count(1)
    assert [one["key"] for one in site.state(alone)["steps"]] == ["b"]
    assert site.state(run_id)["status"] == "failed"


def test_an_answer_is_given_by_the_form_that_the_step_describes(site: Site, visit: Visit) -> None:
    fields = {
        "type": "object",
        "properties": {
            "tag": {"type": "string", "title": "Tag"},
            "copies": {"type": "integer", "title": "Copies", "minimum": 1, "maximum": 5},
            "zone": {"type": "string", "title": "Zone", "enum": ["north", "south"]},
        },
        "required": ["tag", "copies", "zone"],
    }
    ask = step("ask", "wait_for_signal", label="Choose the release", prompt="Which one?", fields=fields)
    run_id = site.start([ask, step("ship", label="Ship")])
    page = visit(f"/runs/{run_id}")
    page.get_by_role("button", name="Answer").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Which one?")
    send = dialog.get_by_role("button", name="Send the answer")
    expect(send).to_be_disabled()
    dialog.get_by_label(re.compile("^Tag")).fill("v42")
    dialog.get_by_label(re.compile("^Copies")).fill("9")
    dialog.get_by_label(re.compile("^Zone")).select_option("south")
    expect(send).to_be_disabled()
    dialog.get_by_label(re.compile("^Copies")).fill("2")
    send.click()
    expect(status(page)).to_have_text("completed")
    assert site.state(run_id)["steps"][0]["result"]["details"] == {"tag": "v42", "copies": 2, "zone": "south"}
