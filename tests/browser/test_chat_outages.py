"""Parts of the server go away while an answer is written, and whoever reads it misses nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import answer, begin, conversation, grows, unique
from tests.browser.conftest import Visit
from tests.browser.site import Site

pytestmark = pytest.mark.fault
BACK_MS = 40_000


def word(page: Page, text: str) -> None:
    """The connection word in the top bar says this."""
    expect(page.locator(".connection")).to_have_text(re.compile(text), timeout=BACK_MS)


def stopped(site: Site, page: Page, chat: str) -> None:
    """It is stopped, and what is shown is what the server kept."""
    answer(page).get_by_role("button", name="Stop").click()
    expect(answer(page)).to_have_attribute("data-status", "stopped", timeout=BACK_MS)
    kept = str(conversation(site, chat)[-1]["text"])
    shown = answer(page).locator(":scope > .markdown").text_content() or ""
    assert shown.split()[-1].rstrip(".") in kept
    assert shown.count("Part 2.") == kept.count("Part 2.")
    assert [part in shown for part in re.findall(r"Part \d+\.", kept)] == [True] * kept.count("Part ")


def test_without_the_relay_an_answer_is_polled(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Polled"), "demo/long")
    text = grows(page)
    word(page, "^Live$")
    with site.held_down("relay"):
        word(page, "^Polling every 2 s$")
        text = grows(page, text)
        text = grows(page, text)
    word(page, "^Live$")
    grows(page, text)
    stopped(site, page, chat)


def test_valkey_is_emptied_and_no_word_is_missing(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Emptied"), "demo/long")
    text = grows(page)
    site.wipe_valkey()
    text = grows(page, text)
    text = grows(page, text)
    stopped(site, page, chat)


def test_a_device_without_network_catches_up(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Away"), "demo/long")
    text = grows(page)
    page.context.set_offline(True)
    word(page, r"^Offline, as of \d")
    page.context.set_offline(False)
    word(page, "^Live$")
    grows(page, text)
    stopped(site, page, chat)
