"""A model that thinks before it writes does not look dead."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chatting import answer, begin, unique
from tests.browser.chromium import DESK
from tests.browser.conftest import Visit
from tests.browser.writing import thought_of


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit("about:blank", **DESK)


def seconds(part: Locator) -> int:
    """For how long it is said to think."""
    expect(part).to_contain_text(re.compile(r"Thinking, \d+ s"))
    found = re.search(r"Thinking, (\d+) s", part.text_content() or "")
    assert found is not None
    return int(found[1])


def test_a_model_is_seen_to_think_until_it_writes_also_after_a_reload(page: Page) -> None:
    said = unique("Think it over")
    begin(page, said, "pipe/thinks")
    expect(answer(page)).to_contain_text(re.compile(r"Thinking, ([3-9]|\d\d) s"))
    page.reload()
    # Since it began, and not since the page did; what is stored of that may be half a second late.
    assert seconds(answer(page)) >= 2
    thought_of(said).touch()
    expect(answer(page).locator(":scope > .markdown")).to_have_text("I have thought.")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    expect(answer(page)).not_to_contain_text("Thinking")


def test_an_agent_of_a_mixture_is_seen_to_think_beside_one_that_has_answered(page: Page) -> None:
    said = unique("Think together")
    begin(page, said, "pipe/thinks", "demo/fast", mode="mixture")
    agents = page.get_by_role("article", name=re.compile("^Agent"))
    expect(agents.nth(1)).to_have_attribute("data-status", "completed")
    assert seconds(agents.nth(0)) >= 0
    page.reload()
    seconds(agents.nth(0))
    expect(answer(page)).to_contain_text("Waits for the agents")
    thought_of(said).touch()
    expect(agents.nth(0)).to_contain_text("I have thought.")
    expect(answer(page)).to_have_attribute("data-status", "completed")


def test_thoughts_are_stopped_as_words_are(page: Page) -> None:
    begin(page, unique("Think for ever"), "pipe/thinks")
    seconds(answer(page))
    page.get_by_role("textbox", name="Message", exact=True).press("Escape")
    expect(answer(page)).to_have_attribute("data-status", "stopped")
    expect(answer(page)).to_contain_text("Stopped before the first word")
