"""The other ways to look at a run: its timeline, its graph, and what happened in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.site import Site, step


@pytest.fixture(scope="module")
def branching(site: Site) -> Iterator[str]:
    """A run that branches; one step fails before it succeeds, another waits for an answer."""
    call = step("call", "demo.fail", label="Call", times=2, message="503 from the service")
    call |= {"needs": ["first"], "retry": {"max_attempts": 5, "base_delay_s": 0.2, "max_delay_s": 0.2}}
    steps = [
        step("first", label="First"),
        call,
        step("other", label="Other") | {"needs": ["first"]},
        step("ask", "wait_for_signal", label="Ask") | {"needs": ["call", "other"]},
    ]
    run_id = site.start(steps, "Branches")
    site.wait(run_id, "completed", step="call")
    site.wait(run_id, "waiting", step="ask")
    yield run_id
    site.stop(run_id)


def test_the_timeline_shows_attempts_and_waits(visit: Visit, branching: str) -> None:
    page = visit(f"/runs/{branching}/timeline")
    call = page.get_by_role("link", name=re.compile("^Call completed:"))
    said = r"attempt 1 failed.*; .*wait.*; attempt 2 failed.*; .*wait.*; attempt 3 completed"
    expect(call).to_have_accessible_name(re.compile(said))
    expect(call.locator(".timeline-bar-of")).to_have_count(3)
    expect(call.locator(".timeline-bar-of.tone-red")).to_have_count(2)
    expect(call.locator(".timeline-wait")).not_to_have_count(0)
    ask = page.get_by_role("link", name=re.compile("^Ask waiting:"))
    expect(ask.locator(".timeline-wait.tone-amber")).to_be_visible()
    call.locator(".timeline-bar-of.tone-red").first.hover()
    expect(page.locator(".timeline-tip")).to_contain_text("503 from the service")
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("row").filter(has_text="attempt 2: failed")).to_contain_text("503 from the service")
    page.get_by_role("link", name="Call").click()
    expect(page).to_have_url(re.compile(rf"/runs/{branching}/steps/call$"))
    page.get_by_role("link", name=re.compile("^Attempts")).click()
    expect(page.locator(".attempt")).to_have_count(3)
    expect(page.locator(".attempt-wait").first).to_contain_text("wait")


def test_a_branching_run_has_a_graph_that_opens_its_steps(site: Site, visit: Visit, branching: str) -> None:
    straight = site.start([step("a"), step("b")])
    site.wait(straight, "completed")
    page = visit(f"/runs/{straight}")
    expect(page.get_by_role("link", name="Timeline")).to_be_visible()
    expect(page.get_by_role("link", name="Graph")).to_be_hidden()
    page.goto(f"/runs/{branching}")
    page.get_by_role("link", name="Graph").click()
    graph = page.get_by_role("region", name="Graph of the steps")
    for name in ("First, completed", "Call, completed", "Other, completed", "Ask, waiting"):
        expect(graph.get_by_role("link", name=name)).to_be_in_viewport()
    # Arrows lead along the edges, Enter opens.
    graph.get_by_role("link", name="First, completed").focus()
    page.keyboard.press("ArrowRight")
    expect(graph.locator(".graph-node:focus")).to_have_text(re.compile("Call|Other"))
    graph.get_by_role("link", name="Call, completed").click()
    expect(page).to_have_url(re.compile(rf"/runs/{branching}/steps/call$"))
    expect(page.get_by_role("heading", name="Call")).to_be_visible()
    page.go_back()
    expect(graph.get_by_role("link", name="Ask, waiting")).to_be_in_viewport()


def test_the_trace_is_filtered_and_its_address_keeps_that(visit: Visit, branching: str) -> None:
    page = visit(f"/runs/{branching}/trace")
    entries, count = page.locator(".trace-entry"), page.locator(".trace-bar").get_by_role("status")
    expect(count).to_have_text(re.compile(r"^\d+ entries$"))
    whole = int(count.inner_text().split()[0])
    expect(entries.first).to_contain_text("run started")
    page.get_by_label("Step", exact=True).select_option("call")
    expect(count).to_have_text(re.compile(rf"^\d+ of {whole}$"))
    page.get_by_label("Filter the trace by text").fill("503")
    expect(count).to_have_text(f"2 of {whole}")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("503 from the service")
    page.reload()
    expect(count).to_have_text(f"2 of {whole}")
    expect(page.get_by_label("Step", exact=True)).to_have_value("call")
    page.get_by_label("What happened", exact=True).select_option("completed")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    expect(count).to_have_text(f"{whole} entries")
