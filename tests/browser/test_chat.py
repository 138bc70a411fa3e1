"""Chat on the page: answers are watched, stopped, asked for again and compared, on any device."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, StorageState, expect

from tests.browser.chatting import answer, begin, conversation, grows, shown, stopped, unique, write
from tests.browser.chromium import DESK, PHONE
from tests.browser.conftest import Visit, sign_in
from tests.browser.site import Site

HOSTILE = """Look: <script>window.hacked = 1</script> <img src=x onerror="window.hacked = 2">

[a](javascript:window.hacked=3) [b](data:text/html,<script>window.hacked=4</script>) [c](https://example.org/c)

![d](https://example.org/d.png) ![e](data:image/svg+xml,<svg onload="window.hacked=5">) ![f](/static/mark.svg)

<iframe src="javascript:parent.hacked = 6"></iframe>

| x | <b onmouseover="window.hacked = 7">y</b> |
| - | - |
| `<script>` | <style>body { display: none }</style> |

```html
<script>window.hacked = 8</script>
```
"""


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit("about:blank", **DESK)


def test_an_answer_goes_on_through_a_reload_and_is_seen_and_stopped_on_another_device(
    site: Site, visit: Visit, page: Page
) -> None:
    said = unique("Write for long")
    chat = begin(page, said, "pipe/counts")
    first = grows(page)
    row = page.get_by_role("navigation", name="Conversations").get_by_role("link", name=said)
    expect(row).to_contain_text("being written")
    expect(page.locator(".connection")).to_have_text("Live")

    page.reload()
    assert grows(page, first).startswith(first)

    other = visit(f"/chat/{chat}", **PHONE)
    assert grows(other).startswith(first)
    kept = stopped(site, other, chat)
    expect(answer(page)).to_have_attribute("data-status", "stopped")
    for device in (other, page):
        expect(answer(device)).to_contain_text("Stopped; what was written by then is kept")
        assert shown(device) == kept
    expect(row).not_to_contain_text("being written")


def test_an_answer_that_was_cut_off_goes_on_where_it_was(site: Site, page: Page) -> None:
    chat = begin(page, unique("Break off, please"), "demo/flaky")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    text = str(conversation(site, chat)[-1]["text"])
    assert text.count("This is the demo model") == 1
    expect(answer(page)).to_contain_text("name a provider")
    assert (answer(page).text_content() or "").count("This is the demo model") == 1
    answer(page).get_by_role("button", name="Figures").click()
    expect(answer(page).locator(".answer-figures")).to_contain_text(re.compile("Attempts.*2"))


def test_another_answer_and_other_words_are_branches(site: Site, page: Page) -> None:
    said = unique("First words")
    chat = begin(page, said, "demo/fast")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    answer(page).get_by_role("button", name="Another answer by another model").click()
    page.get_by_role("menuitem", name="Ask echo (pipe)").click()
    expect(answer(page).locator(":scope > .markdown")).to_have_text(said)
    branches = answer(page).get_by_role("group", name="Other answers")
    expect(branches).to_contain_text("2 of 2")
    branches.get_by_role("button", name="The answer before").click()
    expect(answer(page)).to_contain_text("This is the demo model fast")
    expect(branches).to_contain_text("1 of 2")
    # What is read is in the address, and the place in it is the same after a reload.
    page.reload()
    expect(answer(page)).to_contain_text("This is the demo model fast")

    question = page.get_by_role("article", name="admin said")
    question.get_by_role("button", name="Edit").click()
    words = unique("Other words")
    page.get_by_label("The message in other words").fill(words)
    page.get_by_label("The message in other words").press("Enter")
    expect(question).to_contain_text(words)
    expect(answer(page)).to_have_attribute("data-status", "completed")
    expect(answer(page)).to_contain_text(words)
    expect(question.get_by_role("group", name="Other wordings")).to_contain_text("2 of 2")
    question.get_by_role("button", name="The wording before").click()
    expect(question).to_contain_text(said)
    expect(answer(page)).not_to_contain_text(words)
    roots = [message for message in conversation(site, chat) if message["parent"] is None]
    assert [message["text"] for message in roots] == [said, words]

    # What is said next follows what is read.
    write(page, unique("And then"))
    expect(page.get_by_role("article", name="Answer", exact=True)).to_have_count(2)
    expect(answer(page)).to_contain_text("I was told 3 messages")


def test_a_mixture_shows_its_agents_and_one_that_failed_is_asked_again_alone(site: Site, page: Page) -> None:
    chat = begin(page, unique("Think together"), "demo/fast", "pipe/second-time", mode="mixture")
    agents = page.get_by_role("article", name=re.compile("^Agent"))
    expect(agents).to_have_count(2)
    failed = agents.nth(1)
    expect(failed).to_contain_text("One of the agents failed to respond.")
    expect(failed).to_contain_text("The first time it fails")
    expect(agents.nth(0)).to_have_attribute("data-status", "completed")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    expect(answer(page)).to_contain_text("The answer made of them, by fast")

    failed.get_by_role("button", name="Retry this agent").click()
    expect(failed).to_contain_text("The second time I answer.")
    expect(failed.locator("strong")).to_have_text("answer")
    expect(failed).to_have_attribute("data-status", "completed")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    assert [message["status"] for message in conversation(site, chat)] == ["completed", "completed"]


def test_models_are_compared_blind_until_somebody_votes(visit: Visit, page: Page) -> None:
    begin(page, unique("Compare"), "demo/fast", "pipe/echo", mode="arena")
    contenders = page.get_by_role("article", name=re.compile("^Answer [AB]$"))
    for at in range(2):
        expect(contenders.nth(at)).to_have_attribute("data-status", "completed")
        expect(contenders.nth(at).locator("header")).to_contain_text("named after the vote")
    page.get_by_role("heading", name="Compare").click()
    page.keyboard.press("2")
    expect(page.get_by_text("Voted: B is better.")).to_be_visible()
    expect(contenders.nth(1).locator("header")).to_contain_text("better")
    for at in range(2):
        expect(contenders.nth(at).locator("header")).to_contain_text(re.compile("fast|echo"))
    better = contenders.nth(1).locator("header .model-name").get_attribute("title") or ""
    # The conversation goes on from the better one.
    write(page, unique("Go on"))
    expect(page.get_by_role("article", name=re.compile("^Answer A$"))).to_have_count(2)
    page.goto("/chat/ratings")
    row = page.get_by_role("row", name=re.compile(better.partition("/")[2]))
    expect(row).to_contain_text("1")
    expect(page.get_by_role("columnheader", name="Strength", exact=True)).to_be_visible()


def test_what_a_model_writes_is_never_more_than_text(page: Page) -> None:
    begin(page, HOSTILE, "pipe/echo")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    shown = answer(page).locator(":scope > .markdown")
    expect(shown).to_contain_text("<script>window.hacked = 1</script>")
    expect(shown).to_contain_text("<script>window.hacked = 8</script>")
    assert shown.locator("script, iframe, style, b, object, embed, [onerror], [onmouseover]").count() == 0
    assert [link.get_attribute("href") for link in shown.locator("a").all()] == [
        "https://example.org/c",
        "https://example.org/d.png",
    ]
    for link in shown.locator("a").all():
        assert link.get_attribute("rel") == "noopener noreferrer"
    images = [image.evaluate("(image) => new URL(image.src).pathname") for image in shown.locator("img").all()]
    assert images == ["/static/mark.svg"]
    page.reload()
    expect(shown).to_contain_text("window.hacked = 8")
    assert page.evaluate("window.hacked") is None


def test_the_page_stays_at_the_end_until_one_scrolls_up(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    begin(page, unique("Write a lot"), "demo/long")
    page.wait_for_function("() => document.documentElement.scrollHeight > innerHeight + 300")
    at_the_end = "() => document.documentElement.scrollHeight - innerHeight - scrollY < 48"
    page.wait_for_function(at_the_end)
    page.mouse.move(900, 200)
    page.mouse.wheel(0, -220)
    below = page.get_by_role("button", name="New text below")
    expect(below).to_be_visible()
    top = page.evaluate("scrollY")
    grows(page, grows(page))
    assert page.evaluate("scrollY") == top
    below.click()
    expect(below).to_be_hidden()
    page.wait_for_function(at_the_end)
    page.get_by_role("button", name="Stop writing").click()
    expect(answer(page)).to_have_attribute("data-status", "stopped")
    expect(page.get_by_role("status").filter(has_text="The answer has ended.")).to_be_attached()


def test_a_message_that_was_not_sent_stays_and_is_sent_once(site: Site, page: Page) -> None:
    lost: list[str] = []

    def lose_the_answer(route: Route) -> None:
        lost.append(str(route.request.post_data))
        route.fetch()
        route.abort()

    page.goto("/chat/new")
    page.route("**/api/chat", lose_the_answer)
    said = unique("Only once")
    write(page, said)
    expect(page.get_by_role("alert")).to_contain_text("Not sent. The server cannot be reached.")
    field = page.get_by_role("textbox", name="Message", exact=True)
    expect(field).to_have_value(said)
    assert len(lost) > 1
    page.unroute("**/api/chat")
    field.press("Enter")
    page.wait_for_url(re.compile(r"/chat/chat_"))
    expect(answer(page)).to_be_visible()
    chat = page.url.rsplit("/", 1)[1].split("?")[0]
    question, _ = conversation(site, chat)
    assert question["text"] == said
    expect(page.get_by_role("navigation", name="Conversations").get_by_role("link", name=said)).to_have_count(1)


def test_what_was_pasted_at_length_is_folded_until_one_wants_it_whole(page: Page) -> None:
    begin(page, "\n".join(unique(f"line {number}") for number in range(200)), "demo/fast")
    question = page.get_by_role("article", name="admin said")
    words = question.locator(".question-text")
    height = "(words) => words.getBoundingClientRect().height"
    assert words.evaluate(height) <= 300
    question.get_by_role("button", name="Show all").click()
    assert words.evaluate(height) > 3000
    question.get_by_role("button", name="Show less").click()
    assert words.evaluate(height) <= 300


def test_a_draft_is_kept_where_it_was_begun(page: Page) -> None:
    begin(page, unique("With a draft"), "demo/fast")
    expect(answer(page)).to_have_attribute("data-status", "completed")
    field = page.get_by_role("textbox", name="Message", exact=True)
    field.fill("half a thou")
    page.get_by_role("link", name="New chat").click()
    expect(page.get_by_role("heading", name="New chat")).to_be_visible()
    expect(field).to_have_value("")
    page.go_back()
    expect(field).to_have_value("half a thou")
    page.reload()
    expect(field).to_have_value("half a thou")


def test_a_conversation_is_renamed_and_deleted(page: Page) -> None:
    said = unique("Short-lived")
    begin(page, said, "demo/fast")
    page.get_by_role("button", name="More for this conversation").click()
    page.get_by_role("menuitem", name="Rename").click()
    name = unique("Named")
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.get_by_role("button", name="More for this conversation").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/chat$"))
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_a_viewer_reads_along_and_changes_nothing(browser: Browser, site: Site, visit: Visit, page: Page) -> None:
    chat = begin(page, unique("For all to read"), "demo/long")
    grows(page)
    viewer: StorageState = sign_in(browser, site, site.token("viewer"))
    reader = visit(f"/chat/{chat}", storage_state=viewer)
    grows(reader)
    why = "Your role, viewer, may only look."
    expect(reader.get_by_role("textbox", name="Message", exact=True)).to_be_disabled()
    expect(reader.get_by_text(why)).to_be_visible()
    stop = answer(reader).get_by_role("button", name="Stop")
    expect(stop).to_be_disabled()
    expect(stop).to_have_attribute("title", why)
    reader.keyboard.press("s")
    answer(page).get_by_role("button", name="Stop").click()
    expect(answer(reader)).to_have_attribute("data-status", "stopped")
    expect(answer(reader).get_by_role("button", name="Another answer", exact=True)).to_be_disabled()
