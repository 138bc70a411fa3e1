"""Runs belong to the server: pages come, go, act and agree."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import TOKEN, Site, step
from tests.support.workers import wait_until

YOUNG = timedelta(seconds=16)
LIVE = re.compile(r"^Live$")


def test_a_run_goes_on_while_no_browser_is_open(site: Site, visit: Visit) -> None:
    template = f"t-{uuid.uuid4().hex[:8]}"
    steps = [
        step("hold", "wait_for_signal", label="Hold"),
        step("work", "demo.sleep", label="Work", seconds=0.3),
        step("end", label="End"),
    ]
    site.call("PUT", f"/workflow/templates/{template}", {"name": "Goes on", "steps": steps})
    page = visit(f"/start?mode=template&template={template}")
    page.get_by_role("button", name=re.compile("^(Start|Run)")).last.click()
    page.wait_for_url("**/runs/*")
    run_id = page.url.rpartition("/")[2]
    expect(page.locator(".run-says")).to_contain_text("close this page")
    expect(page.locator(".step-row-waiting")).to_contain_text("Hold")
    page.context.close()

    site.signal(run_id, "hold")
    site.wait(run_id, "completed")
    again = visit("/runs")
    again.get_by_role("link", name="Goes on").first.click()
    expect(again.locator(".run-head-count")).to_have_text("3 of 3 steps")
    expect(again.locator(".step-row-completed")).to_have_count(3)


def test_a_reload_in_the_middle_of_a_step_keeps_the_place(site: Site, visit: Visit) -> None:
    run_id = site.start([step("first"), step("long", "demo.sleep", label="Long work", seconds=600), step("last")])
    site.wait(run_id, "in_progress", step="long")
    page = visit(f"/runs/{run_id}/steps/long/parameters")
    expect(page.locator(".step-row-open")).to_contain_text("Long work")
    page.reload()
    expect(page).to_have_url(re.compile(rf"/runs/{run_id}/steps/long/parameters$"))
    expect(page.locator(".step-row-open")).to_contain_text("Long work")
    expect(page.locator(".run-says")).to_contain_text("tep 2 of 3")
    expect(page.locator(".step-row-in_progress")).to_contain_text(re.compile(r"\d+ %"))
    site.call("POST", "/workflow/stop", {"workflow_id": run_id})


def test_a_reload_says_that_the_run_was_found_again(site: Site, visit: Visit) -> None:
    page = visit(f"/runs/{site.early}")
    begun = datetime.fromisoformat(site.state(site.early)["start_time"])
    # Soon after its start that is what is said of a run.
    wait_until(lambda: datetime.now(UTC) - begun > YOUNG, 30, lambda: begun)
    page.reload()
    expect(page.locator(".run-says")).to_have_text("Reconnected: step 2 of 2; you can close this page.")
    expect(page.locator(".step-row-waiting")).to_be_visible()


def test_two_browsers_agree_within_a_second_that_one_has_stopped_the_run(site: Site, visit: Visit) -> None:
    run_id = site.start([step("long", "demo.sleep", seconds=60), step("after")])
    one, other = visit(f"/runs/{run_id}"), visit(f"/runs/{run_id}")
    for page in (one, other):
        expect(page.get_by_text(LIVE)).to_be_visible()
        expect(page.locator(".step-row-in_progress")).to_be_visible()
    one.keyboard.press("s")
    dialog = one.get_by_role("dialog")
    expect(dialog).to_contain_text("asked to stop")
    dialog.get_by_role("button", name="Stop").click()
    expect(one.locator(".run-head .status-badge")).to_have_text(re.compile("stopping|cancelled"))
    # Promised is a second; a test allows three times that.
    expect(other.locator(".run-head .status-badge")).to_have_text(re.compile("stopping|cancelled"), timeout=3000)
    for page in (one, other):
        expect(page.locator(".run-head .status-badge")).to_have_text("cancelled")


def test_a_failed_run_is_retried_from_the_failed_step(site: Site, visit: Visit) -> None:
    fails = step("fails", "demo.fail", label="Fails once", times=1, permanent=True, message="the disk is full")
    run_id = site.start([step("before", label="Before"), fails, step("behind", label="Behind")])
    site.wait(run_id, "failed")
    page = visit(f"/runs/{run_id}")
    expect(page.locator(".step-row-failed")).to_contain_text("the disk is full")
    page.get_by_role("button", name="Retry from the failed step").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Fails once")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")
    expect(page.locator(".step-row-completed")).to_have_count(3)
    assert [one["attempt"] for one in site.state(run_id)["steps"]] == [1, 2, 1]


def test_a_waiting_step_is_approved_by_its_form(site: Site, visit: Visit) -> None:
    run_id = site.start(
        [step("ok", "wait_for_signal", label="Approve the release", prompt="Ship it?"), step("ship", label="Ship")]
    )
    page = visit(f"/runs/{run_id}")
    page.get_by_role("button", name="Answer").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Ship it?")
    dialog.get_by_label("Approve").check()
    dialog.get_by_label("Comment").fill("looks right")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.locator(".run-head .status-badge")).to_have_text("completed")
    assert site.state(run_id)["steps"][0]["result"]["details"]["comment"] == "looks right"


def test_several_runs_are_stopped_at_once_from_the_list(site: Site, visit: Visit) -> None:
    name = f"Many {uuid.uuid4().hex[:6]}"
    runs = [site.start([step("hold", "wait_for_signal")], name) for _ in range(3)]
    done = site.start([step("quick")], name)
    site.wait(done, "completed")
    page = visit(f"/runs?q={name.replace(' ', '+')}")
    rows = page.locator(".run-row")
    expect(rows).to_have_count(4)
    page.get_by_role("checkbox", name="Select all that are shown").click()
    page.get_by_role("group", name="Selected runs").get_by_role("button", name="Stop").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 run is left as it is: 1 completed.")
    dialog.get_by_role("button", name="Stop 3").click()
    expect(page.locator(".run-row-cancelled")).to_have_count(3)
    for run_id in runs:
        site.wait(run_id, "cancelled")


def test_the_list_is_searched_and_its_address_keeps_the_filters(site: Site, visit: Visit) -> None:
    name = f"Rare {uuid.uuid4().hex[:6]}"
    site.wait(site.start([step("a")], name), "completed")
    page = visit("/runs")
    # Until the list is there, the key belongs to the frame and searches everything.
    expect(page.get_by_role("link", name=name)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type(name)
    expect(page.locator(".run-row")).to_have_count(1)
    page.get_by_role("button", name=re.compile("^Failed")).click()
    expect(page.get_by_text("No run fits these filters.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No run fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()


def test_a_new_run_does_not_move_the_row_under_the_pointer(site: Site, visit: Visit) -> None:
    first = site.start([step("hold", "wait_for_signal")], "Stays where it is")
    page = visit("/runs")
    target = page.locator(f'.run-row[data-run="{first}"]')
    target.hover()
    place = target.bounding_box()
    site.start([step("a")], "Came later")
    button = page.get_by_role("button", name="1 new run")
    expect(button).to_be_visible()
    assert target.bounding_box() == place
    button.click()
    expect(page.locator(".run-row").first).to_contain_text("Came later")
    site.call("POST", "/workflow/stop", {"workflow_id": first})


def signed_out(visit: Visit) -> tuple[Page, Locator, Locator]:
    """A page whose session ended under what was typed: the page, the field, and the dialog that asks to sign in."""
    page = visit("/start?mode=host")
    connection = page.get_by_label("Connection").first
    connection.fill("ssh -p 2838 root@10.1.2.3")
    page.context.clear_cookies()
    # By itself: what the page asks meanwhile may have opened the dialog already, which then lies above the button.
    page.get_by_role("button", name=re.compile("^Run ")).first.dispatch_event("click")
    return page, connection, page.get_by_role("dialog", name="Sign in again")


def test_signing_in_again_keeps_what_was_typed(visit: Visit) -> None:
    _, connection, dialog = signed_out(visit)
    dialog.get_by_label("Access token").fill(TOKEN)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()
    expect(connection).to_have_value("ssh -p 2838 root@10.1.2.3")


def test_signing_in_by_another_tab_lets_the_page_go_on_by_itself(site: Site, visit: Visit) -> None:
    page, connection, dialog = signed_out(visit)
    expect(dialog).to_be_visible()
    # Coming back without having signed in changes nothing.
    with page.expect_response("**/auth/me"):
        page.evaluate("dispatchEvent(new Event('focus'))")
    expect(dialog).to_be_visible()
    code = site.call("POST", "/auth/code", {})["code"]
    other = page.context.new_page()
    other.goto(f"/sign-in#code={code}")
    expect(other.get_by_role("link", name="Start a run")).to_be_visible()
    page.bring_to_front()
    # Pages without a window on a screen are not told that they have the focus.
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(dialog).to_be_hidden()
    expect(connection).to_have_value("ssh -p 2838 root@10.1.2.3")


def test_the_link_of_the_server_signs_in_and_leads_to_the_runs(site: Site, visit: Visit) -> None:
    code = site.call("POST", "/auth/code", {})["code"]
    page = visit(f"/sign-in#code={code}", storage_state=None)
    expect(page.get_by_role("link", name="Start a run")).to_be_visible()
    assert code not in page.url


def test_a_run_of_a_thousand_steps_opens_and_scrolls(site: Site, visit: Visit) -> None:
    steps = [step(f"s{n}", label=f"Step number {n}") for n in range(999)] + [
        step("hold", "wait_for_signal", label="The last one")
    ]
    run_id = site.start(steps, "A thousand steps")
    page = visit(f"/runs/{run_id}")
    expect(page.locator(".step-row").first).to_be_visible()
    drawn = page.locator(".step-row").count()
    assert drawn < 200, f"{drawn} rows are drawn"
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.locator(".step-row").filter(has_text="The last one")).to_be_visible()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    expect(page.locator(".step-row").filter(has_text=re.compile(r"Step number (4[5-9]|5[0-4])\d"))).not_to_have_count(0)
    site.call("POST", "/workflow/stop", {"workflow_id": run_id})
