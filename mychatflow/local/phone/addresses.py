"""Where the other programs of this installation can be opened, as the supervisor wrote it down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

# What a person may want to open beside the phone; ports of databases are nobody's page.
_PAGES: Final = {"dashboards": "Dashboards", "dagster": "Pipelines", "docs": "API"}


class Links:
    """Reads run/addresses.json anew each time: the programs may start after the phone."""

    def __init__(self, addresses: Path) -> None:
        self._addresses = addresses

    def read(self) -> list[dict[str, str]]:
        try:
            document = msgspec.json.decode(self._addresses.read_bytes())
        except (OSError, msgspec.DecodeError):
            return []
        if not isinstance(document, Mapping):
            return []
        found = ((title, _address(document.get(name))) for name, title in _PAGES.items())
        return [{"title": title, "url": url} for title, url in found if url]


def _address(entry: object) -> str | None:
    if isinstance(entry, Mapping):
        entry = entry.get("url")
    is_page = isinstance(entry, str) and entry.startswith(("http://", "https://"))
    return entry if is_page and isinstance(entry, str) else None
