"""A chat by the keyboard alone: where the focus is, what ends an answer, and how one says it in other words."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import answer, begin, grows, unique
from tests.browser.chromium import DESK
from tests.browser.conftest import Visit


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit("about:blank", **DESK)


def test_what_was_said_last_is_said_in_other_words_by_the_arrow_up(page: Page) -> None:
    said = unique("First words")
    begin(page, said, "demo/fast")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    field = page.get_by_role("textbox", name="Message", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("ArrowUp")
    editing = page.get_by_label("The message in other words")
    expect(editing).to_be_focused()
    expect(editing).to_have_value(said)
    page.keyboard.press("Escape")
    expect(editing).to_be_hidden()
    expect(field).to_be_focused()
    # In a text the arrow moves, and Shift and Enter begin a line.
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.type("zero ")
    expect(field).to_have_value("zero one\n")
    expect(editing).to_be_hidden()
    field.fill("")

    page.keyboard.press("ArrowUp")
    page.route("**/api/chat", lambda route: route.abort())
    words = unique("Other words")
    editing.fill(words)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Not sent. The server cannot be reached.")
    expect(editing).to_have_value(words)
    page.unroute("**/api/chat")
    editing.press("Enter")
    expect(page.get_by_role("article", name="admin said")).to_contain_text(words)
    expect(field).to_be_focused()
    expect(answer(page)).to_contain_text(words)


def test_escape_stops_what_is_written_wherever_the_focus_is(page: Page) -> None:
    begin(page, unique("Write a lot"), "demo/long")
    grows(page)
    field = page.get_by_role("textbox", name="Message", exact=True)
    field.press("Escape")
    expect(answer(page)).to_have_attribute("data-status", "stopped")
    expect(field).to_be_focused()
    # Nothing is written: then it leaves the field, and keys are the page's.
    page.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    page.keyboard.press("r")
    expect(answer(page)).to_contain_text("2 of 2")
    expect(answer(page)).to_have_attribute("data-status", "writing")
    grows(page)
    page.keyboard.press("Escape")
    expect(answer(page)).to_have_attribute("data-status", "stopped")


def test_an_example_is_a_beginning(page: Page) -> None:
    page.goto("/chat/new")
    example = page.get_by_role("list", name="Examples").get_by_role("button").first
    words = example.text_content() or ""
    example.click()
    field = page.get_by_role("textbox", name="Message", exact=True)
    expect(field).to_have_value(words)
    expect(field).to_be_focused()
    page.keyboard.type(", please")
    expect(field).to_have_value(f"{words}, please")
