"""What a page shows of a run: every kind of progress, waits that count down, data, copies, and where Flower is."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step

PROGRESS: dict[str, dict[str, Any]] = {
    "simple": {"message": "reading the list"},
    "percentage": {"percent": 40, "message": "2 of 5 files"},
    "checklist": {
        "items": [
            {"label": "manager", "state": "completed"},
            {"label": "impact-pack", "state": "active", "percent": 30},
            {"label": "broken-node", "state": "failed", "detail": "no such repository"},
            {"label": "last", "state": "pending"},
        ]
    },
    "phases": {
        "phases": [{"label": "Fetch"}, {"label": "Install", "percent": 50}, {"label": "Verify"}],
        "active_phase": 1,
        "percent": 60,
    },
}


@pytest.fixture(scope="module")
def telling(site: Site) -> Iterator[str]:
    """A run whose steps tell how far they are, each in its own way."""
    steps = [
        step(key, "t.tell", label=key.capitalize(), progress=said) | {"needs": []} for key, said in PROGRESS.items()
    ]
    run_id = site.start(steps, "Tells in every way", params={"size": 3})
    for key in PROGRESS:
        site.wait(run_id, "in_progress", step=key)
    yield run_id
    site.stop(run_id)


def row(page: Page, label: str) -> Locator:
    return page.locator(".step-row", has=page.locator(".step-row-title", has_text=label))


def test_each_kind_of_progress_is_drawn(visit: Visit, telling: str) -> None:
    page = visit(f"/runs/{telling}")
    expect(row(page, "Simple")).to_contain_text("reading the list")
    expect(row(page, "Percentage")).to_contain_text("2 of 5 files")
    expect(row(page, "Percentage").locator(".step-row-percent")).to_have_text("40 %")
    items = page.get_by_role("list", name="Items").get_by_role("listitem")
    expect(items).to_have_count(4)
    for place, (state, words) in enumerate(
        [("completed", "manager"), ("active", "30 %"), ("failed", "no such repository"), ("pending", "last")]
    ):
        expect(items.nth(place)).to_have_class(re.compile(rf"\bchecklist-item-{state}\b"))
        expect(items.nth(place)).to_contain_text(words)
    phases = page.get_by_role("list", name="Phases").get_by_role("listitem")
    expect(phases).to_have_count(3)
    expect(phases.nth(1)).to_have_attribute("aria-current", "step")
    expect(phases.nth(1)).to_contain_text("50 %")
    expect(phases.nth(0)).to_have_class(re.compile("phase-completed"))


def test_a_run_is_paused_and_resumed_and_says_so_on_both_ends(site: Site, visit: Visit) -> None:
    run_id = site.start([step("a", "demo.sleep", seconds=0.5), step("b"), step("c")], "Paused", step_delay_s=1)
    page = visit(f"/runs/{run_id}")
    expect(page.locator(".connection")).to_have_text("Live")
    page.get_by_role("button", name="More controls").click()
    page.get_by_role("menuitem", name="Pause").click()
    badge = page.locator(".run-head .status-badge")
    expect(badge).to_have_text("paused")
    assert site.state(run_id)["status"] == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(badge).to_have_text("completed")
    assert site.state(run_id)["status"] == "completed"


def seconds_in(waiting: Locator) -> int:
    """How many seconds a waiting step says are left."""
    found = re.search(r"retry in (\d+) s", waiting.inner_text())
    assert found is not None, waiting.inner_text()
    return int(found.group(1))


def test_a_wait_counts_down_to_its_end(site: Site, visit: Visit) -> None:
    run_id = site.start([step("a", "demo.fail", label="Call", times=9, after_s=55)], "Counts down")
    site.wait(run_id, "waiting", step="a")
    page = visit(f"/runs/{run_id}")
    left = row(page, "Call")
    expect(left).to_contain_text(re.compile(r"retry in \d+ s"))
    first = seconds_in(left)
    expect(left).not_to_contain_text(f"retry in {first} s")
    assert seconds_in(left) < first
    site.stop(run_id)


def test_parameters_and_the_raw_state_are_shown_as_trees(visit: Visit, telling: str) -> None:
    page = visit(f"/runs/{telling}")
    page.get_by_role("link", name="Data").click()
    expect(page.get_by_role("tree", name="parameters of the run")).to_contain_text("size")
    page.get_by_text("The state as the server told it").click()
    tree = page.get_by_role("tree", name="the state")
    expect(tree).to_contain_text("workflow_id")
    expect(tree).to_contain_text(telling)


def test_a_run_is_copied_as_a_command_and_as_yaml(visit: Visit, telling: str) -> None:
    page = visit(f"/runs/{telling}", permissions=["clipboard-read", "clipboard-write"])
    for name, said, words in (
        ("curl", "Copied as a curl command.", ["curl", "/workflow/start", "t.tell"]),
        ("YAML", "Copied as YAML.", ["action: t.tell", "label: Checklist"]),
    ):
        page.get_by_role("button", name="More controls").click()
        page.get_by_role("menuitem", name=f"Copy as {name}").click()
        expect(page.get_by_text(said)).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert all(word in copied for word in words), copied


def test_runs_are_found_by_template_target_and_time(site: Site, visit: Visit) -> None:
    name = f"Made {uuid.uuid4().hex[:6]}"
    site.call("PUT", "/workflow/templates/found", {"name": name, "steps": [step("a")]})
    body = {"template_id": "found", "ssh_connection": "ssh -p 2222 root@192.0.2.7"}
    run_id = site.call("POST", "/workflow/start", body)["workflow_id"]
    site.wait(run_id, "completed")
    page = visit("/runs")
    page.get_by_role("button", name="Filter").click()
    panel = page.get_by_role("form", name="Filters")
    panel.get_by_label("Template").fill("found")
    panel.get_by_label("Target host").fill("192.0.2.7")
    panel.get_by_label("Started", exact=True).select_option("1h")
    panel.get_by_role("button", name="Apply").click()
    expect(page.locator(".run-row")).to_have_count(1)
    expect(page.locator(".run-row")).to_contain_text(name)
    expect(page).to_have_url(re.compile(r"template=found"))
    page.goto(page.url.replace("192.0.2.7", "192.0.2.8"))
    expect(page.get_by_text("No run fits these filters.")).to_be_visible()


def test_the_workers_page_leads_to_flower_while_something_listens_at_its_port(site: Site, visit: Visit) -> None:
    port = site.stack.settings.flower_port
    with socket.create_server(("127.0.0.1", port)):
        page = visit("/workers")
        page.get_by_text("Tasks as Celery sees them: Flower").click()
        link = page.get_by_role("link", name=f"127.0.0.1:{port}")
        expect(link).to_have_attribute("href", f"http://127.0.0.1:{port}/")


def test_nothing_moves_while_a_page_is_first_drawn(visit: Visit, telling: str) -> None:
    page = visit("about:blank")
    page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.moved += one.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    for path, there in ((f"/runs/{telling}", ".step-row-percent"), ("/runs", ".run-row"), ("/workers", "main h2")):
        page.goto(path)
        expect(page.locator(there).first).to_be_visible()
        expect(page.locator("main .skeleton")).to_have_count(0)
        # Source: web.dev, "Cumulative Layout Shift": up to 0.1 is good.
        assert page.evaluate("window.moved") < 0.1, path
