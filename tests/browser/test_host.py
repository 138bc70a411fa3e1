"""Provisioning a host: what cannot start is refused, Run becomes Stop, and the form finds itself again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, StorageState, expect

from tests.browser.conftest import Visit, sign_in
from tests.browser.site import SANDBOX, Site
from tests.support.sandbox_host import SandboxHost

CONNECT, READ = "Test the connection", "Read UI_HOME"


@pytest.fixture(scope="module")
def sandbox_host(site: Site) -> Iterator[dict[str, Any]]:
    """A real SSH host, which the stack's workers have the key of."""
    with SandboxHost.start(site.stack.settings.data_dir / SANDBOX) as host:
        yield host.facts


@pytest.fixture
def sandbox(site: Site, sandbox_host: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The host with nothing at work on it."""
    yield sandbox_host
    left = site.call("GET", f"/workflow/runs?status=active&host={sandbox_host['host']}")["runs"]
    site.stop(*(run["workflow_id"] for run in left))
    for run in left:
        site.wait(run["workflow_id"], "cancelled")


@pytest.fixture(scope="module")
def operator(browser: Browser, site: Site) -> StorageState:
    """Somebody of whom there are no runs yet."""
    return sign_in(browser, site, site.token("operator"))


def field(page: Page) -> Locator:
    """Where the SSH connection is written."""
    return page.get_by_label(re.compile("connection", re.IGNORECASE)).first


def connection(sandbox: dict[str, Any]) -> str:
    return f"ssh -p {sandbox['port']} -i {sandbox['key']} {sandbox['user']}@{sandbox['host']}"


def toggle(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Run {name}")


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=toggle(page, name))


def run_button(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Start").get_by_role("button", name=re.compile(r"^Run "))


def switch_on(page: Page, *names: str) -> None:
    """These steps and no others."""
    page.get_by_role("button", name="Switch all on").click()
    page.get_by_role("button", name="Switch all off").click()
    for name in names:
        toggle(page, name).check()


def test_nothing_is_sent_without_a_host_or_without_a_step(visit: Visit, operator: StorageState) -> None:
    page = visit("/start?mode=host", storage_state=operator)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    # The host of somebody's latest run may stand there.
    field(page).fill("ssh")
    field(page).fill("")
    run_button(page).click()
    expect(page.get_by_text("Give the SSH connection string of the host").first).to_be_visible()
    expect(field(page)).to_be_focused()
    field(page).fill("ssh root@10.1.2.3 reboot")
    run_button(page).click()
    expect(page.get_by_text("More than one host, or a command, is given.").first).to_be_visible()
    field(page).fill("ssh -p 2838 root@10.1.2.3")
    switch_on(page)
    run_button(page).click()
    expect(page.get_by_text("Switch on at least one step.").first).to_be_visible()
    assert [url for url in sent if "/workflow/" in url] == []


def test_run_becomes_stop_on_every_device_until_it_is_stopped(
    visit: Visit, operator: StorageState, sandbox: dict[str, Any]
) -> None:
    page = visit("/start?mode=host", storage_state=operator)
    field(page).fill(connection(sandbox))
    switch_on(page, CONNECT, READ)
    page.get_by_label("Wait between steps").fill("600")
    run_button(page).click()
    expect(page.get_by_text(re.compile(r"[Ss]tarted on the server.*workflow_\d+")).first).to_be_visible()
    page.goto("/start?mode=host")
    other = visit("/start?mode=host", storage_state=operator)
    for one in (page, other):
        expect(one.get_by_role("button", name=re.compile("^Stop"))).to_be_visible()
        expect(run_button(one)).to_be_hidden()
        expect(field(one)).to_have_value(re.compile(rf"\b{sandbox['port']}\b"))
        for name, on in ((CONNECT, True), (READ, True), ("Reboot the host", False)):
            expect(toggle(one, name)).to_be_disabled()
            expect(toggle(one, name)).to_be_checked(checked=on)
        expect(row(one, CONNECT)).to_contain_text("completed")
        expect(one.get_by_text(re.compile(rf"tep \d+ of \d+ is waiting on the server: {READ}"))).to_be_visible()
        expect(one.get_by_text("You can close this page.").first).to_be_visible()
    page.reload()
    expect(toggle(page, READ)).to_be_checked()
    page.get_by_role("button", name=re.compile("^Stop")).click()
    expect(page.get_by_text("The run was stopped.")).to_be_visible()
    for one in (page, other):
        expect(run_button(one)).to_be_enabled()
        expect(toggle(one, CONNECT)).to_be_enabled()


def test_one_step_is_run_by_its_own_button(visit: Visit, operator: StorageState, sandbox: dict[str, Any]) -> None:
    page = visit("/start?mode=host", storage_state=operator)
    # What was there last is put back as soon as it is read, and then left alone.
    page.wait_for_load_state("networkidle")
    field(page).fill(connection(sandbox))
    page.get_by_role("button", name=f"Run only {CONNECT}").click()
    expect(page.get_by_text(re.compile("tarted on the server")).first).to_be_visible()
    expect(row(page, CONNECT)).to_contain_text("completed")
    expect(page.get_by_text(re.compile("^All done in"))).to_be_visible()
    expect(page).to_have_url(re.compile("/start"))
