"""What opens above a page, dialogs, menus, panels and the palette: for everybody, and for a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import Visit
from tests.browser.looks import audit, nothing, too_small, too_wide

Opener = Callable[[Page], Locator]


def by_key(key: str, name: str) -> Opener:
    """The dialog that a key opens."""

    def opened(page: Page) -> Locator:
        page.keyboard.press(key)
        return page.get_by_role("dialog", name=name)

    return opened


def by_button(button: str, role: Any, name: str) -> Opener:
    """What a button opens."""

    def opened(page: Page) -> Locator:
        page.get_by_role("button", name=re.compile(f"^{button}")).first.click()
        return page.get_by_role(role, name=name)

    return opened


def by_item(menu: str, item: str, name: str) -> Opener:
    """The dialog behind an item of a menu."""

    def opened(page: Page) -> Locator:
        page.get_by_role("button", name=menu, exact=True).click()
        page.get_by_role("menuitem", name=item).click()
        return page.get_by_role("dialog", name=name)

    return opened


def bulk(page: Page) -> Locator:
    """The dialog of what is done with several runs."""
    page.locator(".run-row-running .run-check").first.click()
    page.get_by_role("group", name="Selected runs").get_by_role("button", name="Stop").click()
    return page.get_by_role("dialog", name=re.compile("^Stop"))


def opened_step(page: Page) -> Locator:
    """A step of the form with all that may be said of it."""
    page.get_by_role("button", name="Add a step").click()
    page.get_by_role("dialog").get_by_role("combobox").fill("http.request")
    page.keyboard.press("Enter")
    return page.locator(".start-step-panel").first


# By address, in the order in which they are opened there; Escape closes each.
ABOVE: dict[str, dict[str, Opener]] = {
    "/runs/{busy}": {
        "stop": by_key("s", "Stop this run?"),
        "menu of the run": by_button("More controls", "menu", "More controls"),
        "template": by_item("More controls", "Save as template", "Save as template"),
        "keys": by_key("?", "Keys"),
        "palette": by_key("Control+k", "Search and commands"),
        "account": by_button("Account", "region", "Account and settings"),
    },
    "/runs/{failed}": {
        "retry": by_key("r", "Retry from the failed step?"),
        "skip": by_button("Skip and go on", "dialog", "Skip Connect?"),
    },
    "/runs/{waiting}": {"answer": by_button("Answer", "dialog", "Approve")},
    "/runs/{completed}/steps/a": {
        "menu of the step": by_button("This step", "menu", "This step"),
        "fork": by_key("f", "Fork from: a"),
        "run alone": by_key("o", "Run alone: a"),
    },
    "/runs": {"filters": by_button("Filter", "form", "Filters"), "bulk": bulk},
    "/start?mode=host": {
        "save as template": by_item("More", "Save as template…", "Save as template"),
    },
    "/start?mode=build": {
        "actions": by_key("a", "Add a step"),
        "paste": by_button("Paste YAML or JSON", "dialog", "Paste a workflow"),
        "step": opened_step,
    },
    "/account": {"token": by_button("New token", "dialog", "New token")},
}
# Parts of the page itself, which stay.
PARTS = {"step"}
DESK_ONLY = {"save as template": by_button("Save as template", "dialog", "Save as template")}


def go(page: Page, path: str, runs: dict[str, str]) -> None:
    page.goto(path.format(**runs))
    expect(page.locator("main :is(.run-head, .run-row, .start-form, h2):visible").first).to_be_visible()
    expect(page.locator("main .skeleton")).to_have_count(0)


def is_there(shown: Locator) -> Locator:
    """What was opened, once it has read what it shows."""
    expect(shown).to_be_visible()
    expect(shown.locator(".skeleton")).to_have_count(0)
    return shown


def closes(page: Page, name: str, shown: Locator) -> None:
    page.keyboard.press("Escape")
    if name not in PARTS:
        expect(shown).to_be_hidden()


@pytest.mark.parametrize("path", ABOVE)
def test_the_audit_finds_nothing_in_what_opens(desk: Page, runs: dict[str, str], path: str) -> None:
    go(desk, path, runs)
    for name, opener in (ABOVE[path] | {key: DESK_ONLY[key] for key in ABOVE[path] if key in DESK_ONLY}).items():
        shown = is_there(opener(desk))
        nothing([f"{name}: {one}" for one in audit(desk, shown)])
        closes(desk, name, shown)


@pytest.mark.parametrize("path", ABOVE)
def test_a_phone_has_room_for_what_opens(phone: Page, runs: dict[str, str], path: str) -> None:
    go(phone, path, runs)
    for name, opener in ABOVE[path].items():
        shown = is_there(opener(phone))
        nothing([f"{name}: {one}" for one in too_wide(phone) + too_small(phone)])
        closes(phone, name, shown)


def test_the_dialog_that_asks_to_sign_in_again_is_for_everybody(visit: Visit, runs: dict[str, str]) -> None:
    for screen, looks in ((DESK, (audit,)), (PHONE, (too_wide, too_small))):
        page = visit(f"/runs/{runs['busy']}", **screen)
        expect(page.locator(".connection")).to_have_text("Live")
        page.context.clear_cookies()
        page.keyboard.press("p")
        expect(page.get_by_role("dialog", name="Sign in again")).to_be_visible()
        for look in looks:
            nothing(look(page))
