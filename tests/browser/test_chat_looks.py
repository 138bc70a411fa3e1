"""Chats can be used by everybody, on every screen."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import answer, begin, unique
from tests.browser.looks import audit, nothing, too_small, too_wide
from tests.browser.site import Site

RICH = """# A heading

Words with `code`, **strong**, a [link](https://example.org/with/a/rather/long/address/that/does/not/break) and a list:

1. one
2. two
   - [x] done
   - [ ] open

> A quotation

| what | how much | and a head that is long |
| :-- | --: | :-: |
| first | 1 | with `code` |

```python
def answer(words: list[str]) -> str:  # a comment that is long enough to scroll sideways on a phone
    return f"{len(words)} words"
```
"""


def a_rich_answer(page: Page) -> None:
    begin(page, unique(RICH), "pipe/echo")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    answer(page).get_by_role("button", name="Figures").click()


def a_branch(page: Page) -> None:
    begin(page, unique("Twice"), "demo/fast")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    answer(page).get_by_role("button", name="Another answer", exact=True).click()
    expect(answer(page)).to_contain_text("2 of 2")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    page.get_by_role("article", name="admin said").get_by_role("button", name="Edit").click()


def a_failure(page: Page) -> None:
    begin(page, unique("Fail"), "demo/failing")
    expect(answer(page)).to_contain_text("The demo model 'failing' fails")
    expect(answer(page).get_by_role("button", name="Retry")).to_be_visible()


def a_mixture(page: Page) -> None:
    begin(page, unique("Together"), "demo/fast", "pipe/echo", "demo/failing", mode="mixture")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    expect(page.get_by_role("article", name=re.compile("^Agent")).first).to_be_visible()


def a_battle(page: Page) -> None:
    begin(page, unique("Apart"), "demo/fast", "pipe/echo", "demo/failing", mode="arena")
    for name in ("A", "B", "C"):
        contender = page.get_by_role("article", name=f"Answer {name}")
        expect(contender).to_have_attribute("data-status", re.compile("completed|failed"))
    expect(page.get_by_role("button", name="All are bad")).to_be_enabled()


def the_picker(page: Page) -> None:
    page.goto("/chat/new")
    page.get_by_role("button", name="Who answers").click()
    page.get_by_role("dialog", name="Who answers").get_by_text("Mixture", exact=True).click()
    expect(page.get_by_text("The answer is made by")).to_be_visible()


def the_settings(page: Page) -> None:
    page.goto("/chat/new")
    page.get_by_role("button", name="Instructions and parameters").click()
    page.get_by_label("Temperature").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A number from 0 to 2.")).to_be_visible()


def a_new_chat(page: Page) -> None:
    page.goto("/chat/new")
    expect(page.get_by_role("list", name="Examples")).to_be_visible()


PARTS = [a_rich_answer, a_branch, a_failure, a_mixture, a_battle, the_picker, the_settings, a_new_chat]


@pytest.mark.parametrize("part", PARTS)
def test_the_audit_of_accessibility_finds_nothing_in_chats(
    site: Site, desk: Page, part: Callable[[Page], None]
) -> None:
    part(desk)
    nothing(audit(desk))


@pytest.mark.parametrize("part", PARTS)
def test_a_phone_shows_chats_in_its_width_and_a_finger_hits_all(
    site: Site, phone: Page, part: Callable[[Page], None]
) -> None:
    part(phone)
    nothing(too_wide(phone))
    nothing(too_small(phone))
