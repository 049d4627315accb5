"""A business's number from being made to being up, and back."""

from typing import Any

from mychatflow.local.phone.exchange import Exchange
from mychatflow.local.phone.records import Session, SessionStatus


class Lifecycle:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sessions = exchange.sessions

    def create(self, name: str, config: dict[str, Any], *, is_started: bool) -> Session:
        session = self._sessions.create(name, config)
        self._exchange.keep_session(session)
        return self.start(name) if is_started else session

    def update(self, name: str, config: dict[str, Any]) -> Session:
        """A new configuration; a session that is up starts again with it."""
        session = self._sessions.update(name, config)
        self._exchange.keep_session(session)
        return session if session.status is SessionStatus.STOPPED else self.start(name)

    def delete(self, name: str) -> None:
        self._sessions.delete(name)
        self._exchange.chats.forget_session(name)
        self._exchange.journal.forget_session(name)
        self._exchange.feed.tell("session_gone", {"name": name})

    def start(self, name: str) -> Session:
        session = self._sessions.set_status(name, SessionStatus.STARTING)
        self._exchange.later(self._exchange.pace.starting, lambda: self._come_up(name))
        return session

    def stop(self, name: str) -> Session:
        return self._sessions.set_status(name, SessionStatus.STOPPED)

    def unpair(self, name: str) -> Session:
        """Log out: a session that is up starts again and asks for a scan."""
        session = self._sessions.set_paired(name, is_paired=False)
        self._exchange.keep_session(session)
        return session if session.status is SessionStatus.STOPPED else self.start(name)

    def pair(self, name: str) -> Session:
        """What scanning the code with a phone does."""
        self._sessions.working(name, expected=SessionStatus.SCAN_QR_CODE)
        self._sessions.set_paired(name, is_paired=True)
        return self._sessions.set_status(name, SessionStatus.WORKING)

    def _come_up(self, name: str) -> None:
        # Stopped, deleted or already up by a second start in the meantime: nothing is left to do.
        session = next((known for known in self._sessions.all() if known.name == name), None)
        if session is None or session.status is not SessionStatus.STARTING:
            return
        self._sessions.set_status(name, SessionStatus.WORKING if session.is_paired else SessionStatus.SCAN_QR_CODE)
