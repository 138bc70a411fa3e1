"""A real browser against the whole stack in processes of its own, and a new profile for each visitor.

The tests share one stack; those that break parts of it have one of their own.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, StorageState, expect

from tests.browser.chromium import DESK, MISSING, PHONE, chromium
from tests.browser.site import ENVIRONMENT, TOKEN, Site, running_site, step

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "api/static/app/index.html"
ACTIONS = "tests.browser.writing"
NOT_BUILT = "The page is not built: run `make web`."
PATIENCE_MS = 20_000

# Two share this machine's processors with the stack.
expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are slow: each module starts a stack."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


def cannot(reason: str) -> None:
    """Skip, saying why; where everything has to be there it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this process."""
    if not PAGE.exists():
        cannot(NOT_BUILT)
    with chromium() as found:
        if found is None:
            cannot(MISSING)
            return
        yield found


@contextmanager
def started(directory: Path) -> Iterator[Site]:
    """A stack, with the actions of these tests among the others."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ENVIRONMENT | {"PERDURE_ACTIONS": ACTIONS}).items():
            patch.setenv(name, value)
        with running_site(directory) as site:
            site.wait(site.start([{"key": "a", "action": "noop"}], "First of all"), "completed")
            yield site


@pytest.fixture(scope="package")
def shared_site(browser: Browser, fast_dir: Path) -> Iterator[Site]:
    """The stack of all modules that leave it whole."""
    with started(fast_dir / f"browser-{uuid.uuid4().hex[:8]}") as site:
        site.early = site.start([step("first"), step("ask", "wait_for_signal")], "Begun early")
        yield site


@pytest.fixture(scope="module")
def site(browser: Browser, fast_dir: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The stack of this module."""
    if request.node.get_closest_marker("fault"):
        with started(fast_dir / f"browser-{uuid.uuid4().hex[:8]}") as site:
            yield site
    else:
        yield request.getfixturevalue("shared_site")


def sign_in(browser: Browser, site: Site, token: str) -> StorageState:
    """What a browser keeps that has signed in with this token; one does so at most ten times a minute."""
    context = browser.new_context()
    answer = context.request.post(f"{site.url}/auth/exchange", data={"token": token}, headers={"Origin": site.url})
    assert answer.ok, answer.text()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(scope="package")
def shared_session(browser: Browser, shared_site: Site) -> StorageState:
    """An admin's session at the shared stack."""
    return sign_in(browser, shared_site, TOKEN)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: Site, request: pytest.FixtureRequest) -> StorageState:
    """What a browser keeps that an admin has signed in with."""
    if request.node.get_closest_marker("fault"):
        return sign_in(browser, site, TOKEN)
    session: StorageState = request.getfixturevalue("shared_session")
    return session


Visit = Callable[..., Page]


@contextmanager
def visiting(browser: Browser, site: Site, session: StorageState) -> Iterator[Visit]:
    """Open addresses in a browser that is signed in; each call is another device.

    Afterwards no page may have broken its policy, asked another host for anything, or ended in an error.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if re.search(r"Content.Security.Policy|Refused to|violates", message.text):
            faults.append(message.text)

    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != urlsplit(site.url).hostname:
            faults.append(f"asked {url}")

    def open_at(path: str = "/", **context_options: Any) -> Page:
        context = browser.new_context(
            **{"storage_state": session, "base_url": site.url, "locale": "en-GB"} | context_options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", note)
        context.on("weberror", lambda error: faults.append(f"error of the page: {error.error}"))
        context.on("request", lambda request: asked(request.url))
        page = context.new_page()
        page.on("websocket", lambda socket: asked(socket.url))
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def visit(browser: Browser, site: Site, signed_in: StorageState) -> Iterator[Visit]:
    """Open addresses as an admin, for one test."""
    with visiting(browser, site, signed_in) as open_at:
        yield open_at


@pytest.fixture(scope="module")
def visit_for_all(browser: Browser, site: Site, signed_in: StorageState) -> Iterator[Visit]:
    """Open addresses for all tests of a module, which go from page to page as one person does."""
    with visiting(browser, site, signed_in) as open_at:
        yield open_at


@pytest.fixture(scope="module")
def desk(visit_for_all: Visit) -> Page:
    return visit_for_all("about:blank", **DESK)


@pytest.fixture(scope="module")
def phone(visit_for_all: Visit) -> Page:
    return visit_for_all("about:blank", **PHONE)


@pytest.fixture(scope="package")
def runs(shared_site: Site) -> Iterator[dict[str, str]]:
    """A busy, a failed, a waiting and a completed run."""
    site = shared_site
    fails = step("b", "demo.fail", label="Connect", times=9, permanent=True, message="connection refused")
    busy = step("b", "demo.sleep", label="Install", seconds=600)
    found = {
        "busy": site.start([step("a"), busy, step("c")], "Provision host"),
        "failed": site.start([step("a"), fails, step("c")], "Sync models"),
        "waiting": site.start([step("a"), step("b", "wait_for_signal", label="Approve"), step("c")], "Release"),
        "completed": site.start([step("a"), step("b"), step("c") | {"needs": ["a"]}], "Weekly summary"),
    }
    site.wait(found["busy"], "in_progress", step="b")
    site.wait(found["failed"], "failed")
    site.wait(found["waiting"], "waiting", step="b")
    site.wait(found["completed"], "completed")
    yield found
    site.stop(found["busy"], found["waiting"])
