"""What a chat is answered by beside what is said in it: set on one device, seen on another, used by what follows."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.chatting import answer, answerers, conversation, unique, write
from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import Visit
from tests.browser.site import Site


def opened(page: Page) -> Locator:
    page.get_by_role("button", name="Instructions and parameters").click()
    return page.get_by_role("dialog", name="Instructions and parameters")


def test_settings_hold_on_every_device_and_for_an_answer_that_is_written_again(site: Site, visit: Visit) -> None:
    page = visit("/chat/new", **DESK)
    answerers(page, "one", ["demo/fast"])
    page.reload()
    form = opened(page)
    form.get_by_label("Instructions", exact=True).fill("Be brief.")
    form.get_by_label("Stop at").fill("END")
    for wrong, why in (("warm", "“warm” is no number."), ("3", "A number from 0 to 2.")):
        form.get_by_label("Temperature").fill(wrong)
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_label("Temperature")).to_be_focused()
        expect(form.get_by_label("Temperature")).to_have_accessible_description(re.compile(re.escape(why)))
    form.get_by_label("Temperature").fill("0,3")
    page.keyboard.press("Enter")
    expect(form).to_be_hidden()
    # They wait with the draft until the chat begins.
    page.reload()
    expect(page.get_by_role("button", name="Instructions and parameters")).to_contain_text("3 set")

    write(page, unique("Say it"))
    page.wait_for_url(re.compile(r"/chat/chat_"))
    expect(answer(page)).to_contain_text("I was told 2 messages")
    chat = page.url.rsplit("/", 1)[1].split("?")[0]
    kept = site.call("GET", f"/api/chat/conversations/{chat}")["settings"]
    assert kept["system"] == "Be brief."
    given = {name: value for name, value in kept["parameters"].items() if value is not None}
    assert given == {"temperature": 0.3, "stop": ["END"]}
    page.get_by_text("Instructions", exact=True).click()
    expect(page.get_by_text("Be brief.")).to_be_visible()

    phone = visit(f"/chat/{chat}", **PHONE)
    form = opened(phone)
    expect(form.get_by_label("Temperature")).to_have_value("0.3")
    form.get_by_label("Most tokens").fill("3")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()

    answer(page).get_by_role("button", name="Another answer", exact=True).click()
    expect(answer(page)).to_contain_text("Cut off: it reached its greatest length")
    # The first device has them too, without a reload.
    form = opened(page)
    expect(form.get_by_label("Most tokens")).to_have_value("3")
    form.get_by_role("button", name="Empty all").click()
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    expect(page.get_by_text("Be brief.")).to_be_hidden()
    write(page, unique("Go on"))
    expect(page.get_by_role("article", name="Answer", exact=True)).to_have_count(2)
    # What was said, the answer that was cut off, and this: no instructions.
    expect(answer(page)).to_contain_text("I was told 3 messages")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    assert conversation(site, chat)[-1]["finish_reason"] == "stop"
    # A chat that begins now has none.
    page.goto("/chat/new")
    expect(page.get_by_role("button", name="Instructions and parameters")).not_to_contain_text("set")
