"""What a setting must look like, told in words that whoever typed it understands."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

_PROVIDERS: Final = frozenset({"openai", "gemini", "anthropic"})
_MAIL_ADDRESS: Final = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+|[^@,;<>]+ <[^\s@,;<>]+@[^\s@,;<>]+>")
_SIGNING_SECRET: Final = re.compile(r"whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def unless_blank(value: object) -> object:
    """`OPENAI_API_KEY=` in a copied file is no key."""
    return None if isinstance(value, str) and not value.strip() else value


def of_a_secret(check: Callable[[str], str]) -> Callable[[SecretStr | None], SecretStr | None]:
    """The check for a value that never shows itself; one that is not set has no form."""

    def checked(value: SecretStr | None) -> SecretStr | None:
        return None if value is None else SecretStr(check(value.get_secret_value()))

    return checked


def web_address(value: str | None) -> str | None:
    """Without the spaces around it. Raises ValueError unless a client can call it."""
    if value is None:
        return None
    address = value.strip()
    parts = urlsplit(address)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not _has_port(address)
        or re.search(r"\s", address)
    ):
        raise ValueError("must look like https://host or http://host:port")
    return address


def mail_addresses(value: str | None) -> str | None:
    """Raises ValueError unless each, between commas, is one address: nobody hears of an alert at another."""
    if value is not None and not all(_MAIL_ADDRESS.fullmatch(address.strip()) for address in value.split(",")):
        raise ValueError("must look like ana@example.com,ops@example.com")
    return value


def rate(value: str) -> str:
    """Raises ValueError unless it reads like `100/minute`."""
    count, _, unit = value.partition("/")
    if not count.isdigit() or int(count) < 1 or unit not in {"second", "minute", "hour"}:
        raise ValueError("must look like 100/minute (second, minute or hour)")
    return value


def budgets(value: str | None) -> dict[str, float]:
    """Dollars by provider. Raises ValueError unless it reads like `openai=50,gemini=7.5`."""
    found = {}
    for entry in (value or "").split(","):
        name, _, usd = (part.strip() for part in entry.partition("="))
        if not name and value is None:
            continue
        if name not in _PROVIDERS or name in found or not re.fullmatch(r"\d{1,7}(\.\d{1,6})?", usd):
            raise ValueError("must look like openai=50,gemini=7.5 (dollars a day; openai, gemini, anthropic)")
        found[name] = float(usd)
    return found


def daily_budgets(value: str | None) -> str | None:
    """The same words, known to be readable."""
    budgets(value)
    return value


def postgres_url(value: str) -> str:
    """As libpq reads it, without the name of a driver. Raises ValueError unless it is an address of a Postgres."""
    scheme, _, rest = value.strip().partition("://")
    address = f"postgresql://{rest}"
    login, _, _ = urlsplit(address).netloc.rpartition("@")
    if (
        scheme.lower().partition("+")[0] not in {"postgresql", "postgres"}
        or not (urlsplit(address).netloc or urlsplit(address).query)
        or not _has_port(address)
        # Cut short by a sign of the password: libpq and the rest of the world would read different hosts.
        or "#" in rest
        or "@" in login
        or re.search(r"\s|%(?![0-9A-Fa-f]{2})", rest)
    ):
        raise ValueError(
            "must look like postgresql://login:password@host:5432/database, with @ : / # and % of the password as "
            "%40 %3A %2F %23 and %25"
        )
    return address


def redis_url(value: str) -> str:
    """Without the spaces around it. Raises ValueError unless it is an address of a Redis."""
    address = value.strip()
    parts = urlsplit(address)
    is_host = parts.scheme in {"redis", "rediss"} and parts.hostname and _has_port(address) and not parts.fragment
    if not is_host and not (parts.scheme == "unix" and parts.path):
        raise ValueError("must look like redis://login:password@host:6379/0 (rediss:// with TLS)")
    return address


def _has_port(address: str) -> bool:
    """Whether what follows the host is a port, or nothing."""
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def warehouse_url(value: str | None) -> str | None:
    """Raises ValueError unless it names a file or a lake: another word would quietly mean the data dir."""
    if value is not None and not value.startswith(("duckdb:///", "ducklake:")):
        raise ValueError("must look like duckdb:////folder/file.duckdb or ducklake:…")
    return value


def bucket_url(value: str | None) -> str | None:
    """Raises ValueError unless it names a bucket, and knows no more of it than where it is."""
    if value is None:
        return None
    parts = urlsplit(value)
    unknown = parse_qs(parts.query).keys() - {"endpoint", "region"}
    if parts.scheme != "s3" or not parts.hostname or parts.username or unknown:
        raise ValueError("must look like s3://bucket/prefix?endpoint=https://…&region=… (keys go to MEDIA_ACCESS_KEY)")
    return value


def signing_secrets(value: str) -> str:
    """Raises ValueError unless each, between commas, is a secret of the Standard Webhooks form."""
    if not all(_SIGNING_SECRET.fullmatch(secret.strip()) for secret in value.split(",")):
        raise ValueError("must be whsec_ and base64; copy it from the endpoint's page at Clerk")
    return value


def hex_key(value: str) -> str:
    """Raises ValueError unless it is 32 bytes in hex, or several of them between commas."""
    if not re.fullmatch(r"[0-9A-Fa-f]{64}(,[0-9A-Fa-f]{64})*", value):
        raise ValueError("must be 64 hex digits (32 bytes); make one with: openssl rand -hex 32")
    return value
