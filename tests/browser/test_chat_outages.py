"""Parts of the server go away while an answer is written, and whoever reads it misses nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import answer, begin, conversation, grows, stopped, unique
from tests.browser.conftest import Visit
from tests.browser.site import Site

pytestmark = pytest.mark.fault
BACK_MS = 40_000


def word(page: Page, text: str) -> None:
    """The connection word in the top bar says this."""
    expect(page.locator(".connection")).to_have_text(re.compile(text), timeout=BACK_MS)


def test_without_the_relay_an_answer_is_polled(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Polled"), "pipe/counts")
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
    chat = begin(page, unique("Emptied"), "pipe/counts")
    text = grows(page)
    site.wipe_valkey()
    text = grows(page, text)
    text = grows(page, text)
    stopped(site, page, chat)


def test_a_device_without_network_catches_up(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Away"), "pipe/counts")
    text = grows(page)
    page.context.set_offline(True)
    word(page, r"^Offline, as of \d")
    page.context.set_offline(False)
    word(page, "^Live$")
    grows(page, text)
    stopped(site, page, chat)


def test_a_worker_dies_and_the_answer_goes_on_where_it_was(site: Site, visit: Visit) -> None:
    page = visit("/chat")
    chat = begin(page, unique("Outlive"), "demo/long")
    text = grows(page, grows(page))
    site.kill("worker-interactive")
    expect(answer(page)).to_contain_text(re.compile("Goes on, attempt [23]"), timeout=2 * BACK_MS)
    assert grows(page, text).startswith(text)
    answer(page).get_by_role("button", name="Stop").click()
    expect(answer(page)).to_have_attribute("data-status", "stopped", timeout=BACK_MS)
    kept = str(conversation(site, chat)[-1]["text"])
    assert kept.count("This is the demo model") == 1
    assert (answer(page).text_content() or "").count("This is the demo model") == 1
