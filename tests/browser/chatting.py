"""What people do on the chat page, for its tests."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site
from tests.support.workers import wait_until

KEPT = "perdure.chat.asked"


def answerers(page: Page, mode: str, models: Sequence[str], aggregator: str = "demo/fast") -> None:
    """Have these answer from now on: one model, the agents of a mixture, or contenders; as a browser remembers it."""
    asked = {
        "mode": mode,
        "model": models[0],
        "agents": models if mode == "mixture" else [],
        "aggregator": aggregator,
        "contenders": models if mode == "arena" else [],
    }
    page.evaluate("([name, value]) => localStorage.setItem(name, value)", [KEPT, json.dumps(asked)])


def begin(page: Page, text: str, *models: str, mode: str = "one") -> str:
    """Begin a chat in the page; the conversation's id."""
    page.goto("/chat/new")
    answerers(page, mode, models)
    page.reload()
    write(page, text)
    page.wait_for_url(re.compile(r"/chat/chat_"))
    return page.url.rsplit("/", 1)[1].split("?")[0]


def write(page: Page, text: str) -> None:
    """Write a message and send it."""
    field = page.get_by_role("textbox", name="Message", exact=True)
    field.fill(text)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    field.press("Enter")
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        page.get_by_role("button", name="Send", exact=True).click()


def answer(page: Page) -> Locator:
    """The last answer that is shown."""
    return page.get_by_role("article", name="Answer", exact=True).last


def grows(page: Page, than: str = "") -> str:
    """Wait until the last answer has more text than this; its text."""
    found = page.wait_for_function(
        """(than) => {
            const text = [...document.querySelectorAll("article.answer > .markdown")].at(-1)?.textContent ?? "";
            return text.length > than.length + 60 && text;
        }""",
        arg=than,
    )
    return str(found.json_value())


def shown(page: Page) -> str:
    """The last answer's text without its spaces, which paragraphs swallow."""
    return "".join((answer(page).locator(":scope > .markdown").text_content() or "").split())


def stopped(site: Site, page: Page, conversation_id: str) -> str:
    """Stop the last answer, of `pipe/counts`: what is shown is what is kept, each word once; it, without spaces."""
    answer(page).get_by_role("button", name="Stop").click()
    expect(answer(page)).to_have_attribute("data-status", "stopped", timeout=40_000)
    kept = "".join(str(conversation(site, conversation_id)[-1]["text"]).split())
    numbers = re.findall(r"w(\d+)", kept)
    assert [int(number) for number in numbers] == list(range(len(numbers)))
    wait_until(lambda: shown(page) == kept, 20, lambda: (shown(page), kept))
    return kept


def unique(text: str) -> str:
    """A text that no other test says."""
    return f"{text} {uuid.uuid4().hex[:8]}"


def conversation(site: Site, conversation_id: str) -> list[dict[str, object]]:
    """The messages of a conversation as the server has them."""
    found: list[dict[str, object]] = site.call("GET", f"/api/chat/conversations/{conversation_id}")["messages"]
    return found
