"""How long a connection believes in a Postgres that went away without a word, as when a cable is pulled."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# In libpq's words. Linux alone waits a quarter of an hour for what it sent, and two hours for an answer. A server
# that is merely slow acknowledges all the while. To a socket of this machine they mean nothing.
LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000}
)
