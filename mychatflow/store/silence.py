"""How long a connection believes in a Postgres that went away without a word, as when a cable is pulled."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from psycopg.conninfo import make_conninfo

# In libpq's words. Linux alone waits a quarter of an hour for what it sent, and two hours for an answer. A server
# that is merely slow acknowledges all the while. To a socket of this machine they mean nothing.
LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
)


def limited(address: str) -> str:
    """The address with the limits in it, for a client that takes nothing beside one."""
    return make_conninfo(address, **LIMITS)
