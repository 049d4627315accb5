"""One person under two WhatsApp ids: Brazilian mobile numbers with and without the ninth digit."""

import re
from typing import Final

# Country 55, an area of two digits, and the mobile number: nine digits beginning with 9 since 2012 to 2016, eight
# digits (beginning with 6 to 9) in the ids of accounts that are older.
_LONG: Final = re.compile(r"55([1-9]{2})9([6-9]\d{7})@c\.us")
_SHORT: Final = re.compile(r"55([1-9]{2})([6-9]\d{7})@c\.us")


def twin(wa_id: str) -> str | None:
    """The other form under which the same phone may write, where there is one."""
    if found := _LONG.fullmatch(wa_id):
        return f"55{found[1]}{found[2]}@c.us"
    if found := _SHORT.fullmatch(wa_id):
        return f"55{found[1]}9{found[2]}@c.us"
    return None
