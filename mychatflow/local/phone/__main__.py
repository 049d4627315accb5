"""Starts the sandbox phone: `python -m mychatflow.local.phone`."""

import logging
import socket
import sys

import structlog
import uvicorn
from structlog.typing import Processor

from mychatflow import settings as configuration
from mychatflow.local.phone import app
from mychatflow.local.phone.addresses import Links
from mychatflow.local.phone.files import FileStore
from mychatflow.local.phone.gateway import Gateway
from mychatflow.local.phone.journal import Journal

# The phone has no login, so it listens on loopback only.
_HOST = "127.0.0.1"
_REFUSED = 78


class PhoneServer(uvicorn.Server):
    """Lets open pages go first when it is told to end: their news would never end by themselves."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._gateway.exchange.feed.close()
        await super().shutdown(sockets)


def main() -> int:
    """Serve until told to stop."""
    try:
        settings = configuration.load()
    except configuration.ConfigurationRefused as refused:
        print(refused, file=sys.stderr)
        return _REFUSED
    _log_json_lines(settings.log_level.upper())
    directory = settings.data_dir / "phone"
    gateway = Gateway(
        base_url=f"http://{_HOST}:{settings.phone_port}",
        journal=Journal(directory / "journal.jsonl"),
        files=FileStore(directory / "files"),
        engine=settings.waha_engine,
    )
    config = uvicorn.Config(
        app.build(gateway, api_key=settings.gateway_key, links=Links(settings.run_dir / "addresses.json")),
        host=_HOST,
        port=settings.phone_port,
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    PhoneServer(config, gateway).run()
    return 0


def _log_json_lines(level: str) -> None:
    """One JSON object a line on stderr, the server's own words included."""
    handler = logging.StreamHandler(sys.stderr)
    shared: list[Processor] = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    render: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render))
    logging.basicConfig(level=level, handlers=[handler], force=True)


if __name__ == "__main__":
    sys.exit(main())
