"""The three model APIs as one real HTTP server of ours: scripted answers, faults by switch, a journal of every prompt.

In a test: `with FakeModels().serve() as models:` then `models.settings()` for the addresses and keys.
For benchmarks: `python -m tests.fakes.llm --port 9000 --latency-ms 1000`; `POST /_control` switches, `GET /_journal`.
"""

import argparse
import asyncio
import contextlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.fakes import llm_faults, llm_tools, llm_wire
from tests.fakes.llm_faults import Fault, Receive, Scope, Send
from tests.fakes.llm_wire import PROVIDERS, Call, Said

Script = Callable[[Call], Said]
Note = Callable[[Call], None]


def answer_json(reply: str, **changes: Any) -> str:
    """An answer as the models are asked to write it."""
    fields = {"reply": reply, "language": "en", "action": "answer", "sources": [], "confidence_note": ""}
    return msgspec.json.encode(fields | changes).decode()


# In a reply that is switched on from outside: the #17s of the question, so that whoever counts knows what it answers.
NUMBERS = "{numbers}"
ABOUT_NUMBERS = answer_json(f"About {NUMBERS}")
_NUMBER = re.compile(r"#\d+")
_USUAL = answer_json("Thank you for your message. How can we help you?")


@dataclass(slots=True)
class Provider:
    """How one of the three behaves; `times` counts a fault down, None keeps it on.

    A brown-out: of every hundred calls `slow_percent`, spread evenly, take `slow` seconds instead of `latency`.
    """

    fault: str | None = None
    times: int | None = None
    latency: float = 0.0
    slow: float = 0.0
    slow_percent: int = 0
    _asked: int = 0
    script: Script = field(default=lambda _: _USUAL)
    retry_after: str | None = None

    def next_latency(self) -> float:
        self._asked += 1
        is_slow = self._asked * self.slow_percent // 100 > (self._asked - 1) * self.slow_percent // 100
        return self.slow if is_slow else self.latency

    def next_fault(self) -> str | None:
        if self.fault is None or self.times is None:
            return self.fault
        fault = self.fault
        self.times -= 1
        if self.times <= 0:
            self.fault = self.times = None
        return fault


class _OpenTransport(HttpToolsProtocol):
    """Lets the application cut the connection, as a failing network does."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[llm_faults.TRANSPORT] = self.transport  # type: ignore[literal-required]  # a key of our own


class FakeModels:
    """An ASGI application; one instance speaks all three formats."""

    def __init__(self, *, journal_size: int = 100_000) -> None:
        self.providers = {name: Provider() for name in PROVIDERS}
        self.journal: deque[Call] = deque(maxlen=journal_size)
        self.base_url = ""
        # What every voice note says; None while nobody listens.
        self.voice: str | None = None
        self.heard: list[bytes] = []
        # What a text means, in numbers; None while nobody embeds.
        self.meaning: Callable[[str], list[float]] | None = None
        self.embedded: list[str] = []
        # What a server of another maker may leave out when it embeds.
        self.is_counting = True

    def forget(self) -> None:
        """Begin an empty journal. What was asked before is written into the old one, even if it is answered later."""
        self.journal = deque(maxlen=self.journal.maxlen)

    def fail(self, provider: str, fault: str, *, times: int | None = None, retry_after: str | None = None) -> None:
        self.providers[provider].fault = fault
        self.providers[provider].times = times
        self.providers[provider].retry_after = retry_after

    def heal(self, provider: str | None = None) -> None:
        for name in [provider] if provider else PROVIDERS:
            self.providers[name] = Provider()
        if provider is None:
            self.voice = self.meaning = None
            self.is_counting = True
            self.heard.clear()
            self.embedded.clear()

    def say(self, provider: str, script: str | Script) -> None:
        self.providers[provider].script = script if callable(script) else lambda _: script

    def calls(self, provider: str | None = None) -> list[Call]:
        return [call for call in list(self.journal) if provider in {None, call.provider}]

    def settings(self, *providers: str) -> dict[str, str]:
        """Fields of Settings that point those providers (all three when none is named) at this server."""
        urls = {"openai": f"{self.base_url}/v1", "anthropic": self.base_url, "gemini": self.base_url}
        chosen = providers or PROVIDERS
        keys = {f"{name}_api_key": f"fake-key-{name}" for name in chosen}
        return keys | {f"{name}_base_url": urls[name] for name in chosen}

    @contextlib.contextmanager
    def serve(self, port: int = 0, *, host: str = "127.0.0.1") -> Iterator["FakeModels"]:
        """Serves in a thread of its own, on a free port of loopback unless told."""
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(1024)
            self.base_url = f"http://{host}:{listening.getsockname()[1]}"
            server = uvicorn.Server(self.configuration())
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            until = time.monotonic() + 10
            while not server.started and time.monotonic() < until:
                time.sleep(0.005)
            try:
                yield self
            finally:
                server.should_exit = server.force_exit = True
                thread.join(10)

    def configuration(self, **changes: Any) -> uvicorn.Config:
        usual: dict[str, Any] = {
            "http": _OpenTransport,
            "loop": "uvloop",
            "lifespan": "off",
            "log_level": "critical",
            "access_log": False,
            "timeout_keep_alive": 120,
        }
        return uvicorn.Config(self, **(usual | changes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        journal = self.journal
        body = await _body(receive)
        path = scope["path"]
        if path.endswith("/audio/transcriptions") and self.voice is not None:
            self.heard.append(body)
            usage = {"type": "tokens", "input_tokens": 40, "output_tokens": 6, "total_tokens": 46}
            await llm_faults.respond(send, msgspec.json.encode({"text": self.voice, "usage": usage}))
            return
        if path.endswith("/embeddings") and self.meaning is not None:
            texts = msgspec.json.decode(body)["input"]
            self.embedded += texts
            vectors = [self.meaning(text) for text in texts]
            await llm_faults.respond(send, llm_wire.embeddings(vectors, texts, with_usage=self.is_counting))
            return
        provider = llm_wire.provider_of(path)
        if provider is None:
            await self._control(path, body, send)
            return
        behaviour = self.providers[provider]
        fault = behaviour.next_fault()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        call = llm_wire.read(provider, path, msgspec.json.decode(body), headers, fault)
        if wait := behaviour.next_latency():
            await asyncio.sleep(wait)
        await self._answer(call, behaviour, journal.append, scope, receive, send)

    async def _answer(
        self, call: Call, behaviour: Provider, note: Note, scope: Scope, receive: Receive, send: Send
    ) -> None:
        fault = call.fault
        if fault in llm_faults.STATUS or fault == Fault.WRONG_ADDRESS:
            note(call)
            await llm_faults.send_error(call, behaviour.retry_after, send)
            return
        if fault in {Fault.HANG, Fault.RESET}:
            note(call)
            await (llm_faults.gone(receive) if fault == Fault.HANG else llm_faults.cut(scope))
            return
        if breach := llm_tools.breach(call.provider, call.model, call.body):
            note(replace(call, fault=breach))
            await llm_faults.respond(send, llm_wire.error(call.provider, 400, breach), status=400)
            return
        said = behaviour.script(call)
        written = said if isinstance(said, str) else said.written
        work = replace(call, input_tokens=llm_wire.input_tokens(call), output_tokens=llm_wire.tokens(written))
        note(work)
        await llm_faults.send_work(work, said, scope, send)

    async def _control(self, path: str, body: bytes, send: Send) -> None:
        if path == "/_journal":
            await llm_faults.respond(send, msgspec.json.encode([asdict(call) for call in self.journal]))
        elif path == "/_control":
            asked = msgspec.json.decode(body)
            for name in [asked["provider"]] if "provider" in asked else PROVIDERS:
                self._switch(self.providers[name], asked)
            await llm_faults.respond(send, b"{}")
        else:
            await llm_faults.respond(send, b"<html>not found</html>", status=404, kind=b"text/html")

    def _switch(self, provider: Provider, asked: dict[str, Any]) -> None:
        provider.fault, provider.times = asked.get("fault"), asked.get("times")
        provider.retry_after = asked.get("retry_after")
        provider.latency = asked.get("latency_ms", provider.latency * 1000) / 1000
        provider.slow, provider.slow_percent = asked.get("slow_ms", 0) / 1000, asked.get("slow_percent", 0)
        if "reply" in asked:
            provider.script = lambda call: asked["reply"].replace(NUMBERS, " ".join(_NUMBER.findall(call.question)))


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--latency-ms", type=float, default=0.0)
    arguments.add_argument("--journal", type=int, default=10_000, help="how many calls are kept")
    chosen = arguments.parse_args()
    models = FakeModels(journal_size=chosen.journal)
    for provider in models.providers.values():
        provider.latency = chosen.latency_ms / 1000
    configuration = models.configuration(host="127.0.0.1", port=chosen.port, backlog=16_384)
    uvicorn.Server(configuration).run()


if __name__ == "__main__":
    main()
