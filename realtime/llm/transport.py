"""The HTTP transport that the vendors' clients share: made for thousands of calls under way at once."""

import functools
import ssl
from typing import Final

import httpx2
import openai

# The connector needs numbers: without them the transport stops near 100 connections.
_LIMITS = httpx2.Limits(max_connections=20_000, max_keepalive_connections=2_000, keepalive_expiry=15.0)
# Only connecting has a limit of its own; the whole call has asyncio.timeout, which a slow drip cannot outlive.
PATIENCE = httpx2.Timeout(None, connect=3.0)
# What two of the SDKs tell of our machine with each call: to write it out took a tenth of the call's CPU.
TOLD_OF_US: Final = (
    "x-stainless-lang",
    "x-stainless-package-version",
    "x-stainless-os",
    "x-stainless-arch",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-async",
    "x-stainless-retry-count",
    "x-stainless-timeout",
    "x-stainless-read-timeout",
)


def http_client() -> httpx2.AsyncClient:
    """The aiohttp transport under a vendor's client: at 1,000 connections a tenth of the default's CPU."""
    return openai.DefaultAioHttpClient(limits=_LIMITS, timeout=PATIENCE, follow_redirects=False, verify=_authorities())


# Each client would read all certificates twice, 25 ms of CPU each time.
@functools.cache
def _authorities() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
