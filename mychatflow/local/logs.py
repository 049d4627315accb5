"""One JSON object a line on stderr, without message text, secrets or phone numbers, for every program of ours."""

import logging
import sys
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from mychatflow.local import masking

# What we write ourselves into every line.
_OURS: Final = frozenset({"timestamp", "level", "logger", "process", "_record", "_from_structlog"})
_ENCODER: Final = msgspec.json.Encoder()


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide by key what is secret by name, and by pattern what looks secret anywhere else."""
    return {key: value if key in _OURS else masking.clean(value, key=key) for key, value in event.items()}


def configure(*, process: str, level: str = "info", is_production: bool = False) -> None:
    """Our own log and every library's go through the same chain: JSON, but for a developer at a terminal."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        structlog.processors.format_exc_info,
        _process_name(process),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    is_read_by_a_person = sys.stderr.isatty() and not is_production
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if is_read_by_a_person
        else [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(serializer=_json)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    _let_libraries_speak_through_us()


def speak_plainly() -> None:
    """For a program whose lines `json_lines` wraps one by one: what it says is masked before it falls into lines."""
    # The usual tracebacks show every local variable, and with them what customers wrote.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    usual = structlog.get_config()["processors"][:-1]
    structlog.configure(processors=[*usual, structlog.processors.format_exc_info, redact, plain])


def _let_libraries_speak_through_us() -> None:
    for noisy in ("httpx", "httpx2", "httpcore", "openai", "anthropic", "asyncio"):
        logging.getLogger(noisy).setLevel("WARNING")
    for server in ("uvicorn", "uvicorn.error", "faststream", "faststream.access", "faststream.access.redis"):
        logging.getLogger(server).handlers = []
        logging.getLogger(server).propagate = True
    # A line for each request would cost more than a webhook does, and metrics count them.
    logging.getLogger("uvicorn.access").handlers = []
    logging.getLogger("uvicorn.access").propagate = False


def _process_name(process: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _json(event: EventDict, **_options: Any) -> str:
    return _ENCODER.encode(event).decode()
