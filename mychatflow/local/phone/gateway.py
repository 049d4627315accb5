"""The sandbox gateway without any HTTP: businesses on one side, customers on the other."""

from mychatflow.local.phone.business import BusinessSide
from mychatflow.local.phone.customers import CustomerSide
from mychatflow.local.phone.exchange import Exchange, Pace
from mychatflow.local.phone.files import FileStore
from mychatflow.local.phone.hooks import Hooks
from mychatflow.local.phone.journal import Journal
from mychatflow.local.phone.lifecycle import Lifecycle
from mychatflow.local.phone.records import Engine, SessionStatus


class Gateway:
    def __init__(
        self,
        *,
        base_url: str,
        journal: Journal | None = None,
        files: FileStore | None = None,
        hooks: Hooks | None = None,
        engine: Engine = "NOWEB",
        pace: Pace | None = None,
    ) -> None:
        self.exchange = Exchange(
            journal=journal or Journal(None),
            files=files or FileStore(None),
            hooks=hooks or Hooks(),
            base_url=base_url.rstrip("/"),
            engine=engine,
            pace=pace or Pace(),
        )
        self.sessions = self.exchange.sessions
        self.chats = self.exchange.chats
        self.lifecycle = Lifecycle(self.exchange)
        self.business = BusinessSide(self.exchange)
        self.customers = CustomerSide(self.exchange)

    def open(self) -> None:
        """Remember earlier runs; sessions that were up come up again, as after a restart of the real gateway."""
        remembered = self.exchange.journal.open()
        self.sessions.restore(remembered.sessions)
        self.chats.restore(remembered.customers, remembered.messages)
        for session in remembered.sessions:
            if session.status is not SessionStatus.STOPPED:
                self.lifecycle.start(session.name)

    async def close(self) -> None:
        await self.exchange.close()
