"""What holds steps back, on the dashboard, in the alerts and on the page of a run that waits."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from cli.demo_flow import Agent
from tests.browser.conftest import Visit, sign_in, started, visiting
from tests.browser.site import TOKEN, Site, step
from tests.support.workers import wait_until

THRESHOLD = 3
# Longer than a test: nothing probes the breaker before it is reset by hand.
RECOVERY_S = 600


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with Agent().serving() as agent:
        agent.healthy.clear()
        yield agent


@pytest.fixture(scope="module")
def site(browser: Browser, fast_dir: Path) -> Iterator[Site]:
    """A stack of its own: its steps may call this machine, and what fails here is not to be in the way elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERDURE_HTTP_ALLOW", "127.0.0.1")
        with started(fast_dir / f"browser-{uuid.uuid4().hex[:8]}") as site:
            yield site


@pytest.fixture(scope="module")
def admin(browser: Browser, site: Site) -> StorageState:
    return sign_in(browser, site, TOKEN)


@pytest.fixture
def visit(browser: Browser, site: Site, admin: StorageState) -> Iterator[Visit]:
    with visiting(browser, site, admin) as open_at:
        yield open_at


def asks(agent: Agent, breaker: str) -> dict[str, Any]:
    """A step that calls the agent behind this breaker."""
    return step("ask", "http.request", label="Ask the agent", url=agent.url) | {
        "breaker": {"name": breaker, "failure_threshold": THRESHOLD, "recovery_s": RECOVERY_S},
        "retry": {"max_attempts": 9, "base_delay_s": 0.05, "max_delay_s": 0.1},
    }


def breaker_named(site: Site, name: str) -> dict[str, Any] | None:
    found = site.call("GET", "/api/orchestration/circuit-breakers")["breakers"]
    return next((one for one in found if one["name"] == name), None)


def open_breaker(site: Site, agent: Agent, name: str) -> str:
    """Let calls fail until the breaker opens; the run that waits on it."""
    agent.healthy.clear()
    run_id = site.start([asks(agent, name)], "Ask")
    wait_until(
        lambda: (breaker_named(site, name) or {}).get("state") == "open", 30, lambda: site.state(run_id)["steps"]
    )
    site.wait(run_id, "waiting", step="ask")
    return run_id


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[data-breaker="{name}"]')


def test_an_admin_sees_an_open_breaker_and_resets_it(site: Site, visit: Visit, agent: Agent) -> None:
    run_id = open_breaker(site, agent, "agent-of-admins")
    page = visit("/dashboard?window=5m")
    breaker = row(page, "agent-of-admins")
    expect(breaker).to_contain_text("open")
    expect(breaker).to_contain_text(re.compile(r"next probe in \d+ m"))
    expect(breaker).to_contain_text("1 step waits")
    expect(page.locator(".on-row", has_text="agent-of-admins")).to_contain_text("1 step")
    expect(page.locator(".health-causes")).to_contain_text("breakers are not closed")

    agent.healthy.set()
    breaker.get_by_role("button", name="Reset").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The step that waits on it goes on.")
    dialog.get_by_role("button", name="Reset").click()
    expect(page.locator(".notice", has_text="The breaker agent-of-admins was reset.")).to_be_visible()
    expect(breaker).to_contain_text("closed")
    site.wait(run_id, "completed")

    breaker.get_by_role("button", name="More about agent-of-admins").click()
    page.get_by_role("menuitem", name="Its changes").click()
    changes = page.get_by_role("dialog").locator(".breaker-changes li")
    expect(changes.first).to_contain_text("reset by")
    expect(changes.last).to_contain_text("open")


def test_an_admin_holds_a_breaker_open_and_leaves_it_to_itself(site: Site, visit: Visit, agent: Agent) -> None:
    agent.healthy.set()
    site.wait(site.start([asks(agent, "agent-by-hand")], "Ask"), "completed")
    page = visit("/dashboard")
    breaker = row(page, "agent-by-hand")
    for item, confirm, shown in (
        ("Hold open", "Hold open", "open, set by hand"),
        ("Leave to itself", "Leave to itself", "closed"),
    ):
        breaker.get_by_role("button", name="More about agent-by-hand").click()
        page.get_by_role("menuitem", name=item).click()
        page.get_by_role("dialog").get_by_role("button", name=confirm).click()
        expect(breaker.locator(".breaker-state")).to_have_text(shown)


def test_who_may_only_look_sees_it_off(browser: Browser, site: Site, visit: Visit, agent: Agent) -> None:
    run_id = open_breaker(site, agent, "agent-of-viewers")
    for role, why in (
        ("viewer", "Your role, viewer, may only look."),
        ("operator", "Only admins set breakers; your role is operator."),
    ):
        page = visit("/dashboard", storage_state=sign_in(browser, site, site.token(role)))
        reset = row(page, "agent-of-viewers").get_by_role("button", name="Reset")
        expect(reset).to_be_disabled()
        expect(reset).to_have_attribute("title", why)
    site.stop(run_id)


def test_a_run_says_which_breaker_it_waits_for(site: Site, visit: Visit, agent: Agent) -> None:
    run_id = open_breaker(site, agent, "agent-of-a-run")
    page = visit(f"/runs/{run_id}")
    expect(page.locator(".step-row-line")).to_contain_text(
        re.compile(r"breaker of agent-of-a-run is open · probe in \d+ m")
    )
    page.goto(f"/runs/{run_id}/steps/ask/attempts")
    expect(page.locator(".attempt").first).to_be_visible()
    expect(page.locator(".attempt-waits")).to_contain_text("breaker of agent-of-a-run is open")
    site.stop(run_id)


def test_a_step_that_waits_for_a_lock_names_who_holds_it(site: Site, visit: Visit) -> None:
    lock = {"locks": [{"name": "file:/srv/notes.db"}]}
    holder = site.start([step("write", "demo.sleep", seconds=600) | lock], "Holds it")
    site.wait(holder, "in_progress", step="write")
    waiter = site.start([step("append", "demo.sleep", seconds=0) | lock], "Waits for it")
    site.wait(waiter, "waiting", step="append")

    page = visit(f"/runs/{waiter}")
    line = page.locator(".step-row-line")
    expect(line).to_contain_text(
        re.compile(rf"waits for the lock file:/srv/notes.db · held by {holder} \(step write\) for \d+")
    )
    line.get_by_role("link").click()
    expect(page).to_have_url(f"{site.url}/runs/{holder}/steps/write")

    page.goto("/dashboard")
    held = page.locator(".lock-row", has_text="file:/srv/notes.db")
    expect(held.locator(".lock-who", has_text="held by").get_by_role("link")).to_have_attribute(
        "href", f"/runs/{holder}/steps/write"
    )
    expect(held.locator(".lock-who", has_text="next").get_by_role("link")).to_have_attribute(
        "href", f"/runs/{waiter}/steps/append"
    )
    # Whoever held it is gone: the one that waited comes next, and no page names a holder any more.
    page.goto(f"/runs/{waiter}")
    site.stop(holder)
    site.wait(waiter, "completed")
    expect(page.locator(".step-row-completed")).to_be_visible()


def test_figures_and_errors_of_what_ran_are_shown(site: Site, visit: Visit) -> None:
    failed = site.start([step("a"), step("b", "demo.fail", times=9, permanent=True, message="no route")], "Fails")
    site.wait(failed, "failed")
    page = visit("/dashboard")
    page.get_by_role("radio", name="5 minutes").check()
    expect(page).to_have_url(re.compile(r"window=5m"))
    action = page.get_by_role("region", name="Actions").get_by_role("row", name=re.compile("demo.fail"))
    expect(action).to_contain_text("100 %")
    failed_head = page.get_by_role("columnheader", name="Failed")
    failed_head.get_by_role("button").click()
    expect(failed_head).to_have_attribute("aria-sort", "descending")
    page.reload()
    expect(page.get_by_role("columnheader", name="Failed")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("radio", name="5 minutes")).to_be_checked()
    page.locator(".error-row", has_text="no route").get_by_role("link").click()
    expect(page).to_have_url(f"{site.url}/runs/{failed}/steps/b/attempts")


def test_an_alert_is_told_acknowledged_and_resolved(site: Site, visit: Visit, agent: Agent) -> None:
    page = visit("/runs")
    expect(page.get_by_role("link", name="Alerts")).to_be_visible()
    run_id = open_breaker(site, agent, "agent-of-alerts")
    notice = page.locator(".notice", has_text="agent-of-alerts")
    expect(notice).to_be_visible(timeout=60_000)
    notice.get_by_role("link").click()
    alert = page.locator(".alert-row", has_text="the breaker agent-of-alerts opened")
    expect(alert).to_contain_text("critical")
    expect(page.locator(".rail-count")).to_be_visible()

    alert.get_by_role("button", name="Acknowledge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Note for the others").fill("I am on it")
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(alert).to_contain_text(re.compile("seen by .*: I am on it"))
    alert.get_by_role("button", name="History").click()
    expect(alert.locator(".alert-history")).to_contain_text(re.compile("acknowledged by .*: I am on it"))

    alert.get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    over = page.get_by_role("region", name="Over").locator(".alert-row", has_text="agent-of-alerts")
    expect(over).to_contain_text("resolved by")
    site.stop(run_id)


def test_an_alert_is_acknowledged_where_it_is_seen_on_the_dashboard(site: Site, visit: Visit, agent: Agent) -> None:
    page = visit("/dashboard?window=5m")
    alerts = page.get_by_role("region", name="Alerts")
    run_id = open_breaker(site, agent, "agent-on-dashboard")
    alert = alerts.locator(".alert-row", has_text="the breaker agent-on-dashboard opened")
    expect(alert).to_be_visible(timeout=60_000)

    alert.get_by_role("button", name="Acknowledge").click()
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    expect(alert).to_contain_text("seen by")
    expect(alert.get_by_role("button", name="Acknowledge")).to_have_count(0)
    expect(page).to_have_url(re.compile("/dashboard"))

    alert.get_by_role("button", name="Resolve").click()
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(alert).to_have_count(0)
    site.stop(run_id)


# Notes when an alert of this name was first seen on the page.
SEEN = """(name) => {
    window.seenAt = null;
    const look = () => {
        const rows = [...document.querySelectorAll(".alert-row")];
        if (window.seenAt === null && rows.some((row) => row.textContent.includes(name))) window.seenAt = Date.now();
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
    look();
}"""


def open_where_alerts_are_told(page: Page, path: str) -> None:
    """Open a page that shows no sign of it, and wait until the relay has said that it tells of alerts there."""
    heard: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: heard.append(str(frame))))
    page.goto(path)
    expect(page.get_by_role("link", name="Alerts")).to_be_visible()
    deadline = time.monotonic() + 20
    while not any('"live":true' in frame for frame in heard):
        assert time.monotonic() < deadline, heard
        page.wait_for_timeout(20)  # lets Playwright hear


def test_an_alert_is_on_open_pages_before_they_would_ask(site: Site, visit: Visit, agent: Agent) -> None:
    alerts, elsewhere = visit("/alerts"), visit("about:blank")
    expect(alerts.locator(".connection")).to_have_text("Live")
    open_where_alerts_are_told(elsewhere, "/runs")
    alerts.evaluate(SEEN, "agent-of-news")
    run_id = open_breaker(site, agent, "agent-of-news")
    expect(alerts.locator(".alert-row", has_text="agent-of-news")).to_be_visible(timeout=60_000)
    found = site.call("GET", "/api/orchestration/alerts?status=open")["alerts"]
    alert = next(one for one in found if one["subject"] == "agent-of-news")
    # A page that is live asks every 15 s by itself.
    late_s = alerts.evaluate("window.seenAt") / 1000 - datetime.fromisoformat(alert["openedAt"]).timestamp()
    assert late_s < 2
    expect(elsewhere.locator(".notice", has_text="agent-of-news")).to_be_visible(timeout=3000)
    elsewhere.goto("/dashboard")
    expect(elsewhere.locator(".health")).to_contain_text(re.compile(r"\d open alerts?, \d critical"))
    # Resolved by somebody else: on all pages at once.
    site.call("POST", f"/api/orchestration/alerts/{alert['id']}/resolve", {})
    over = alerts.get_by_role("region", name="Over").locator(".alert-row", has_text="agent-of-news")
    expect(over).to_be_visible(timeout=3000)
    site.stop(run_id)


def size_of(drawn: Locator) -> tuple[float, float]:
    box = drawn.bounding_box()
    assert box is not None
    return box["width"], box["height"]


def test_a_dashboard_that_is_live_asks_for_nothing_and_its_charts_stay(site: Site, visit: Visit) -> None:
    page = visit("/dashboard?window=5m")
    expect(page.locator(".connection")).to_have_text("Live")
    chart = page.locator(".dash-chart canvas").first
    expect(chart).to_be_visible()
    chart.evaluate("(canvas) => { canvas.dataset.kept = 'yes'; }")
    before = size_of(chart)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site.wait(site.start([step("one", "demo.sleep", label="Sleep", seconds=0)], "Counted"), "completed")
    # Sent by the relay once it is counted.
    expect(page.get_by_role("row", name=re.compile("demo.sleep")).first).to_be_visible()
    lock = {"locks": [{"name": "file:/srv/live.db"}]}
    holder = site.start([step("write", "demo.sleep", seconds=600) | lock], "Holds it")
    site.wait(holder, "in_progress", step="write")
    expect(page.locator(".lock-row", has_text="file:/srv/live.db")).to_be_visible()
    assert [url for url in asked if "/orchestration/metrics" in url or "/orchestration/flow" in url] == []
    expect(chart).to_have_attribute("data-kept", "yes")
    assert size_of(chart) == before
    # Another window is shown by itself, and nothing of the one before comes between.
    page.get_by_role("radio", name="24 hours").check()
    expect(page.locator(".chart-when").first).to_have_text("24 hours")
    expect(page.locator(".connection")).to_have_text("Live")
    site.stop(holder)


def test_keys_lead_there(visit: Visit) -> None:
    page = visit("/runs")
    expect(page.get_by_role("link", name="Dashboard")).to_be_visible()
    for key, path in (("d", "/dashboard"), ("a", "/alerts")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(path))
