"""A restart of the phone keeps businesses, customers and chats; nobody else can read them."""

import stat
from pathlib import Path

from mychatflow.local.phone.exchange import Pace
from mychatflow.local.phone.files import FileStore
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.journal import Journal
from mychatflow.local.phone.records import Customer, Draft, SessionStatus

CHAT = "12025550143@c.us"
ANN = Customer(phone="12025550143", name="Ann Lee")
CONFIG = {"metadata": {"business.name": "Bright Smile"}, "webhooks": []}
NEVER = Pace(server=None, device=None, starting=0.0)


def a_gateway(directory: Path) -> Gateway:
    gateway = Gateway(
        base_url="http://127.0.0.1:1",
        journal=Journal(directory / "journal.jsonl"),
        files=FileStore(directory / "files"),
        pace=NEVER,
    )
    gateway.open()
    return gateway


def a_working_session(gateway: Gateway, name: str = "shop") -> None:
    gateway.lifecycle.create(name, CONFIG, is_started=False)
    gateway.sessions.set_status(name, SessionStatus.WORKING)


async def test_a_restart_keeps_the_chat(tmp_path: Path) -> None:
    before = a_gateway(tmp_path)
    a_working_session(before)
    asked = before.customers.write("shop", ANN, Draft(text="How much? 👋"))
    before.business.send("shop", CHAT, Draft(text="85 €"), message_id="3EB0AAAA01")
    before.business.react("shop", asked.full_id, "👍")
    await before.close()

    after = a_gateway(tmp_path)

    messages = after.chats.messages("shop", CHAT)
    assert [message.text for message in messages] == ["How much? 👋", "85 €"]
    assert messages[0].business_reaction == "👍"
    assert after.chats.customers() == (ANN,)
    assert after.sessions.get("shop").config == CONFIG
    assert after.sessions.get("shop").status is SessionStatus.STARTING
    await after.close()


async def test_a_repeat_after_a_restart_shows_one(tmp_path: Path) -> None:
    before = a_gateway(tmp_path)
    a_working_session(before)
    before.business.send("shop", CHAT, Draft(text="85 €"), message_id="3EB0AAAA01")
    await before.close()
    after = a_gateway(tmp_path)
    after.sessions.set_status("shop", SessionStatus.WORKING)

    after.business.send("shop", CHAT, Draft(text="85 €"), message_id="3EB0AAAA01")

    assert len(after.chats.messages("shop", CHAT)) == 1
    await after.close()


async def test_a_deleted_business_stays_gone(tmp_path: Path) -> None:
    before = a_gateway(tmp_path)
    a_working_session(before)
    before.customers.write("shop", ANN, Draft(text="Hello"))
    before.lifecycle.delete("shop")
    await before.close()

    after = a_gateway(tmp_path)

    assert after.sessions.all() == ()
    assert after.chats.messages("shop", CHAT) == ()
    await after.close()


async def test_a_cleared_chat_stays_cleared(tmp_path: Path) -> None:
    before = a_gateway(tmp_path)
    a_working_session(before)
    before.customers.write("shop", ANN, Draft(text="Hello"))
    before.customers.forget_chat("shop", CHAT)
    await before.close()

    after = a_gateway(tmp_path)

    assert after.chats.messages("shop", CHAT) == ()
    await after.close()


async def test_a_line_cut_by_a_crash_is_left_out(tmp_path: Path) -> None:
    before = a_gateway(tmp_path)
    a_working_session(before)
    before.customers.write("shop", ANN, Draft(text="Hello"))
    await before.close()
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'["Message", {"session": "sh')

    after = a_gateway(tmp_path)

    assert [message.text for message in after.chats.messages("shop", CHAT)] == ["Hello"]
    await after.close()


async def test_the_journal_is_nobody_elses(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)

    assert stat.S_IMODE((tmp_path / "journal.jsonl").stat().st_mode) == 0o600
    await gateway.close()


async def test_a_picture_survives_a_restart(tmp_path: Path) -> None:
    name = FileStore(tmp_path / "files").save(b"\x89PNG", mimetype="image/png")

    assert FileStore(tmp_path / "files").load(name) == b"\x89PNG"


def test_a_files_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    store = FileStore(tmp_path / "files")
    store.save(b"\x89PNG", mimetype="image/png")

    assert store.load("../secret.txt") is None
