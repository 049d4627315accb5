"""The phone page in a real browser: write, see the answer arrive, on a desk and in a hand."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from mychatflow.local.phone.records import Draft
from tests.fakes.waha import SESSION, FakeWaha

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHAT = "12025550143@c.us"
A_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: install the package `chromium`"),
]


@pytest.fixture
async def page(phone: FakeWaha) -> AsyncIterator[Page]:
    """The page at 390 px, that complains about every error and every request to elsewhere."""
    await phone.a_session(metadata={"business.name": "Bright Smile"})
    wrong: list[str] = []
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options, env=dict(os.environ))
        opened = await browser.new_page(viewport={"width": 390, "height": 844})
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("request", lambda request: _note_stranger(request.url, phone.base_url, wrong))
        await opened.goto(phone.base_url)
        await expect(opened.locator("#business-name")).to_have_text("Bright Smile")
        yield opened
        await browser.close()
    assert wrong == []


def _note_stranger(url: str, own: str, wrong: list[str]) -> None:
    if not url.startswith(("data:", own)):
        wrong.append(url)


async def test_a_message_gets_its_answer_live(page: Page, phone: FakeWaha) -> None:
    await page.get_by_role("textbox", name="Message").fill("How much?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".row.mine .said")).to_have_text("How much?")

    phone.gateway.business.typing(SESSION, CHAT, is_typing=True)
    await expect(page.locator("#presence")).to_have_text("typing…")
    phone.gateway.business.send(SESSION, CHAT, Draft(text="85 €"))

    await expect(page.locator(".row.theirs .said")).to_have_text("85 €")
    await expect(page.locator("#presence")).to_have_text("Online")


async def test_a_business_that_reads_turns_the_ticks(page: Page, phone: FakeWaha) -> None:
    await page.get_by_role("button", name="Can I talk to a person?").click()
    await expect(page.locator(".row.mine")).to_have_count(1)

    phone.gateway.business.seen(SESSION, CHAT)

    await expect(page.get_by_role("img", name="Read")).to_be_visible()


async def test_markup_in_a_message_stays_text(page: Page, phone: FakeWaha) -> None:
    hostile = "<img src=x onerror=alert(1)> ![](http://evil.example/p.png)"

    phone.gateway.business.send(SESSION, CHAT, Draft(text=hostile))

    await expect(page.locator(".row.theirs .said")).to_have_text(hostile)
    assert await page.locator(".said img").count() == 0


async def test_a_picture_goes_with_its_caption(page: Page, phone: FakeWaha) -> None:
    await page.set_input_files("#file", {"name": "tooth.png", "mimeType": "image/png", "buffer": A_PICTURE})
    await expect(page.locator("#preview")).to_be_visible()
    await page.get_by_role("textbox", name="Message").fill("My tooth")
    await page.keyboard.press("Enter")

    await expect(page.locator(".row.mine img.shot")).to_have_js_property("naturalWidth", 1)
    sent = phone.gateway.chats.messages(SESSION, CHAT)[0]
    assert (sent.text, sent.media and sent.media.filename) == ("My tooth", "tooth.png")


async def test_a_reaction_is_given_by_keyboard(page: Page, phone: FakeWaha) -> None:
    phone.gateway.business.send(SESSION, CHAT, Draft(text="85 €"))
    await page.get_by_role("button", name="React", exact=True).focus()

    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")

    await expect(page.locator(".row.theirs .reactions")).to_have_text("👍")
    assert phone.gateway.chats.messages(SESSION, CHAT)[0].customer_reaction == "👍"


async def test_the_newest_message_stays_in_view(page: Page, phone: FakeWaha) -> None:
    for number in range(30):
        phone.gateway.business.send(SESSION, CHAT, Draft(text=f"message {number}"))
    newest = page.get_by_text("message 29", exact=True).last
    await expect(newest).to_be_in_viewport()

    await page.get_by_role("button", name="Emoji", exact=True).click()

    await expect(newest).to_be_in_viewport(ratio=1)


async def test_another_customer_has_a_chat_of_their_own(page: Page, phone: FakeWaha) -> None:
    phone.gateway.business.send(SESSION, CHAT, Draft(text="for Ann"))
    await expect(page.locator(".row.theirs")).to_have_count(1)
    await page.get_by_role("button", name="Change customer or business").click()

    await page.get_by_text("Another customer").click()
    await page.get_by_label("Name", exact=True).fill("Sam Rivera")
    await page.get_by_label("Phone number").fill("+1 202 555 0199")
    await page.get_by_role("button", name="Add customer").click()

    await expect(page.locator("#text")).to_have_attribute("placeholder", "Message as Sam Rivera")
    await expect(page.locator(".row")).to_have_count(0)


async def test_a_number_that_waits_is_paired_by_a_button(page: Page, phone: FakeWaha) -> None:
    phone.gateway.lifecycle.unpair(SESSION)
    await expect(page.locator("#text")).to_be_disabled()

    await page.get_by_role("button", name="Pair", exact=True).click()

    await expect(page.locator("#text")).to_be_enabled()


@pytest.mark.parametrize("width", [390, 768, 1280])
async def test_nothing_overflows_the_page(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 844})

    assert await page.locator("html").evaluate("root => root.scrollWidth") == width
    await expect(page.get_by_role("textbox", name="Message")).to_be_in_viewport()
