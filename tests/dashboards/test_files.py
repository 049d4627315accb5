"""What customers send beside words: pictures are seen in the chat, anything else is a download that runs nowhere."""

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urljoin
from uuid import UUID, uuid4

import psycopg
import pytest
from PIL import Image
from sqlalchemy.ext.asyncio import AsyncConnection

from dashboards import data, files
from dashboards.operational import bridge
from mychatflow.store import media_vault
from mychatflow.store.cipher import TenantCipher
from tests.dashboards.browsing import CHROMIUM, PATIENCE, Visit
from tests.dashboards.conftest import Town
from tests.dashboards.shop import Shop
from tests.dashboards.test_pages import html_of, opened

HTML = b"<script>alert(1)</script>"


@pytest.fixture
def sent(pages: Town) -> Iterator[dict[str, UUID]]:
    """A picture, and a page that says it is one, as the newest messages of a chat."""
    contact_id = data.inbox(pages.dental.tenant_id)[0].contact_id
    found = {"contact": contact_id, "picture": uuid4(), "page": uuid4()}
    drawn = io.BytesIO()
    Image.new("RGB", (64, 40), (11, 122, 95)).save(drawn, "PNG")
    for name, content in (("picture", drawn.getvalue()), ("page", HTML)):
        _send(pages, pages.dental, contact_id, found[name], content)
    yield found
    with psycopg.connect(pages.settings.role_url("engine")) as connection:
        for statement in ("delete from media_files where id = any(%s)", "delete from interactions where id = any(%s)"):
            connection.execute(statement, ([found["picture"], found["page"]],))


def _send(town: Town, shop: Shop, contact_id: UUID, message_id: UUID, content: bytes) -> None:
    async def keep(_: AsyncConnection, cipher: TenantCipher) -> None:
        media_vault.opened(town.settings).save(cipher, message_id, content)

    bridge().opened(shop.tenant_id, keep)
    with psycopg.connect(town.settings.role_url("engine")) as connection:
        connection.execute(
            "insert into interactions (tenant_id, id, occurred_at, contact_id, instance_id, direction, type, author,"
            " status) values (%s, %s, now(), %s, %s, 'incoming', 'image', 'customer', 'received')",
            (shop.tenant_id, message_id, contact_id, shop.instance_id),
        )
        connection.execute(
            "insert into media_files (tenant_id, id, contact_id, mimetype, byte_size) values (%s, %s, %s, %s, %s)",
            (shop.tenant_id, message_id, contact_id, "image/png", len(content)),
        )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("<img src=x>.png", b"MZ\x90\x00", "is none of the kinds that can be sent: jpg, png"),
        ("menu.pdf", b"%PDF-" + bytes(11 << 20), "this file has 11.0 MB; at most 10 are taken"),
        ("menu.txt", b"", "this file is empty"),
    ],
)
def test_a_file_that_cannot_be_sent_is_refused_in_words(pages: Town, name: str, content: bytes, told: str) -> None:
    test = opened("inbox", workspace=pages.dental.name)
    test = test.file_uploader[0].upload(name, content).run()
    assert told.casefold() in html_of(test).casefold()

    test = next(button for button in test.button if button.label == "Send the file").click().run()

    assert not test.exception
    assert test.toast[0].value.startswith("Nothing was sent: ")
    assert told in test.toast[0].value.replace("\\", "")
    assert "<img src=x" not in html_of(test)


def _link(shop: Shop, contact_id: UUID, message_id: UUID, *, read_by: Shop | None = None) -> str:
    messages = data.chat((read_by or shop).tenant_id, contact_id, reader="test")
    return files.links(shop.tenant_id, contact_id, messages, at=datetime.now(UTC))[message_id]


def _asked(address: str, link: str) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(urljoin(f"{address}/", link), timeout=60) as answer:
            return int(answer.status), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as refused:
        return refused.code, {}


def test_only_what_is_a_picture_is_shown_as_one(pages: Town, sent: dict[str, UUID], address: str) -> None:
    for name, kind, disposition in (
        ("picture", "image/png", "inline"),
        ("page", "application/octet-stream", "attachment"),
    ):
        status, headers = _asked(address, _link(pages.dental, sent["contact"], sent[name]))

        assert (status, headers["content-type"]) == (200, kind)
        assert headers["content-disposition"].startswith(disposition)
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cache-control"] == "private, no-store"


def test_a_link_opens_nothing_of_another_business(pages: Town, sent: dict[str, UUID], address: str) -> None:
    mine = _link(pages.dental, sent["contact"], sent["picture"])
    theirs = _link(pages.hotel, sent["contact"], sent["picture"], read_by=pages.dental)

    assert [_asked(address, link)[0] for link in (mine, theirs, f"{mine}x", "files/none")] == [200, 404, 404, 404]


@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_picture_is_seen_in_the_chat(sent: dict[str, UUID], visit: Visit) -> None:
    assert sent
    visit.open("inbox")

    visit.page.wait_for_function("document.querySelector('.mcf-picture')?.naturalWidth === 64", timeout=PATIENCE)
    assert visit.hosts <= {"127.0.0.1", ""}
    assert visit.failures == []
