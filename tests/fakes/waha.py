"""A WhatsApp gateway for tests and benchmarks: the sandbox phone's core, with faults, records and many customers."""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import uvicorn
from starlette.types import ASGIApp

from mychatflow.local.phone import app, ids, payloads
from mychatflow.local.phone.addresses import Links
from mychatflow.local.phone.exchange import Pace, now_ms
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.hooks import Hooks, sign_as_waha
from mychatflow.local.phone.records import Ack, Attempt, Draft, Engine, Message, Session, SessionStatus, Webhook
from tests.fakes import waha_control
from tests.fakes.waha_faults import Faults, Faulty

Signature = Literal["waha", "spec", "both", "none"]
API_KEY = "test-gateway-key"
SESSION = "default"
# Receipts come at once and by themselves: a test that wants none says so.
QUICK = Pace(server=0.0, device=0.0, read=None, starting=0.0)
SILENT = Pace(server=None, device=None, read=None, starting=0.0)
EVENTS = (
    "message",
    "message.any",
    "message.ack",
    "message.reaction",
    "message.edited",
    "message.revoked",
    "session.status",
)


class LoopServer(uvicorn.Server):
    """A server inside the test's own event loop, which leaves signals alone and ends at once when told."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told_to_stop.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True, kw_only=True)
class FakeWaha:
    gateway: Gateway
    faults: Faults
    base_url: str
    api_key: str
    # Every send that reached WhatsApp, repeats included, in order.
    attempts: list[Attempt] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        *,
        engine: Engine = "NOWEB",
        pace: Pace = QUICK,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str = API_KEY,
        history_lag_ms: int = 0,
    ) -> AsyncIterator[Self]:
        """A fake that listens on a free port of loopback unless told, in this event loop."""
        # Named as TCP, since asyncio sets TCP_NODELAY on such sockets only: 40 ms a call otherwise.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        base_url = f"http://{host}:{listener.getsockname()[1]}"
        gateway = Gateway(base_url=base_url, engine=engine, pace=pace, hooks=Hooks(connections=200))
        fake = cls(gateway=gateway, faults=Faults(), base_url=base_url, api_key=api_key)
        gateway.business.on_attempt = fake.attempts.append
        server = LoopServer(_config(fake.application(history_lag_ms=history_lag_ms)))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _until(lambda: server.started or serving.done())
            yield fake
        finally:
            server.told_to_stop.set()
            await serving

    def application(self, *, history_lag_ms: int = 0) -> ASGIApp:
        inner = app.build(
            self.gateway, api_key=self.api_key, links=Links(Path("nowhere")), history_lag_ms=history_lag_ms
        )
        return waha_control.Controlled(Faulty(inner, self.faults), self)

    # The business's number.

    async def a_session(
        self,
        name: str = SESSION,
        *,
        webhook_url: str | None = None,
        hmac_key: str = "test-hmac-key",
        events: tuple[str, ...] = EVENTS,
        retries: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> Session:
        """A working session, with that webhook."""
        hooks = [] if webhook_url is None else [_webhook(webhook_url, hmac_key, events, retries)]
        self.gateway.lifecycle.create(name, {"webhooks": hooks, "metadata": metadata or {}}, is_started=True)
        await _until(lambda: self.gateway.sessions.get(name).status is SessionStatus.WORKING)
        return self.gateway.sessions.get(name)

    def set_status(self, status: SessionStatus, *, session: str = SESSION) -> None:
        self.gateway.sessions.set_status(session, status)

    # Customers.

    def send_from(
        self,
        chat_id: str,
        text: str,
        *,
        session: str = SESSION,
        message_id: str | None = None,
        sent_at: datetime | None = None,
        author: str | None = None,
    ) -> Message:
        """A customer writes; the webhook hears of it. `sent_at` and call order may disagree: out of order."""
        sent_ms = None if sent_at is None else round(sent_at.timestamp() * 1000)
        draft = Draft(text=text)
        return self.gateway.customers.write_in(
            session, chat_id, draft, author=author, message_id=message_id, sent_ms=sent_ms
        )

    def edit(self, message: Message, text: str) -> None:
        """The customer writes something else in place of it."""
        told = self._about(replace(message, text=text)) | {"editedMessageId": message.message_id}
        self.gateway.exchange.tell_business(self.gateway.sessions.get(message.session), "message.edited", told)

    def take_back(self, message: Message) -> None:
        """The customer deletes it for everyone."""
        after = self._about(replace(message, text="", media=None))
        told = {"after": after, "before": None, "revokedMessageId": message.message_id, "_data": {}}
        self.gateway.exchange.tell_business(self.gateway.sessions.get(message.session), "message.revoked", told)

    def _about(self, message: Message) -> dict[str, Any]:
        """What happens to a message comes as a message of its own."""
        named = replace(message, message_id=ids.phone_message_id(), sent_ms=now_ms())
        return payloads.message(named, self.gateway.sessions.get(message.session), base_url=self.base_url)

    def repeat(self, message: Message, *, event: str = "message") -> None:
        """Tell the webhook of a message once more, in a new envelope."""
        self.gateway.exchange.tell_message(message, event)

    def acknowledge(self, chat_id: str, message_id: str, level: Ack, *, session: str = SESSION) -> None:
        """A receipt, of any level at any time: late, twice, going back, for an unknown message."""
        known = self.gateway.chats.find(session, chat_id, message_id)
        message = known or Message(
            session=session, chat_id=chat_id, message_id=message_id, from_me=True, text="", sent_ms=now_ms()
        )
        self.gateway.exchange.acknowledge(message, level)

    def owner_writes(self, chat_id: str, text: str, *, session: str = SESSION) -> Message:
        """The owner answers by hand on the paired phone."""
        return self.gateway.business.write_as_owner(session, chat_id, Draft(text=text))

    # Webhooks.

    def sign_as(self, scheme: Signature) -> None:
        self.gateway.exchange.hooks.sign = _SCHEMES[scheme]

    def envelope(self, event: str, payload: dict[str, Any], *, session: str = SESSION) -> dict[str, Any]:
        known = self.gateway.sessions.get(session)
        return payloads.envelope(known, event, payload, engine=self.gateway.exchange.engine, at_ms=now_ms())

    async def post(self, envelope: dict[str, Any] | bytes, *, session: str = SESSION) -> int | None:
        """One webhook call with exactly that body, signed by the session's key; its status."""
        body = envelope if isinstance(envelope, bytes) else msgspec.json.encode(envelope)
        return await self.gateway.exchange.hooks.post(self.webhook(session), body)

    def webhook(self, session: str = SESSION) -> Webhook:
        return self.gateway.sessions.webhooks(session)[0]

    def lose_webhooks(self, session: str = SESSION) -> None:
        """From now on this session's news reaches nobody, until `find_webhooks`."""
        self.gateway.sessions._webhooks[session] = ()

    def find_webhooks(self, session: str = SESSION) -> None:
        known = self.gateway.sessions.get(session)
        self.gateway.sessions.update(session, known.config)

    async def settled(self, *, within: float = 10.0) -> None:
        """Wait until every webhook call has ended."""
        await _until(lambda: self.gateway.exchange.hooks.pending == 0, within=within)

    # What customers saw.

    def deliveries(self, chat_id: str, *, session: str = SESSION) -> list[Message]:
        """What the business sent into that chat as the customer sees it: one message per id, in order."""
        return [message for message in self.gateway.chats.messages(session, chat_id) if message.from_me]

    def texts(self, chat_id: str, *, session: str = SESSION) -> list[str]:
        return [message.text for message in self.deliveries(chat_id, session=session)]

    async def until_delivered(
        self, chat_id: str, count: int, *, session: str = SESSION, within: float = 10.0
    ) -> list[Message]:
        await _until(lambda: len(self.deliveries(chat_id, session=session)) >= count, within=within)
        return self.deliveries(chat_id, session=session)


def _webhook(url: str, hmac_key: str, events: tuple[str, ...], retries: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "url": url,
        "events": list(events),
        "hmac": {"key": hmac_key},
        "retries": retries or {"policy": "exponential", "delaySeconds": 0.2, "attempts": 15},
    }


def _sign_as_spec(body: bytes, key: str) -> dict[str, str]:
    return {"X-Webhook-Signature": "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}


_SCHEMES: dict[Signature, Callable[[bytes, str], dict[str, str]]] = {
    "waha": sign_as_waha,
    "spec": _sign_as_spec,
    "both": lambda body, key: sign_as_waha(body, key) | _sign_as_spec(body, key),
    "none": lambda _body, _key: {},
}


def _config(application: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        lifespan="on",
        log_level="critical",
        access_log=False,
        ws="none",
        # Answers that hang on purpose are cut off.
        timeout_graceful_shutdown=1,
    )


async def _until(is_true: Callable[[], bool], *, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not is_true():  # noqa: ASYNC110  (what is awaited is state, not an event)
            await asyncio.sleep(0.005)


async def _serve(arguments: argparse.Namespace) -> None:
    pace = SILENT if arguments.no_receipts else QUICK
    async with FakeWaha.running(
        engine=arguments.engine, pace=pace, port=arguments.port, history_lag_ms=arguments.history_lag_ms
    ) as fake:
        print(fake.base_url, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.waha", description="A WhatsApp gateway with faults.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--engine", choices=("NOWEB", "GOWS", "WEBJS"), default="NOWEB")
    parser.add_argument("--history-lag-ms", type=int, default=0)
    parser.add_argument("--no-receipts", action="store_true", help="no message.ack webhooks")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
