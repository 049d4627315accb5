"""How long a chat is left alone after a message: a customer writes on, and an earlier message may arrive late."""

from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

# A customer who never stops writing is answered at last.
LONGEST: Final = timedelta(seconds=8)
# Chats that wait for their debounce become due together, on marks so far apart: their turns then share each round trip.
# Whoever waits for half a second never sees it. Marks twice as far apart save a seventh of the CPU of ten thousand
# conversations and make half of them wait 20 ms longer; where the cores are full, a line shares its round trips anyway.
MARK: Final = timedelta(milliseconds=25)
# How often the workers look for chats that are due, bell or no bell.
LOOK: Final = timedelta(milliseconds=250)


def settled_at(received: Collection[datetime], *, settle: timedelta) -> datetime | None:
    """When a chat may be answered whose messages reached us at these times; None when there are none.

    The gateway tells of each message by itself and tries each again by itself, so after a refused webhook a later
    message comes first. It waits for the earlier one as long as for the rest of the customer's sentence. The limit
    counts from the first message of the latest burst: what an outage left behind long ago does not use it up.
    """
    ordered = sorted(received)
    if not ordered:
        return None
    pauses = (later for earlier, later in pairwise(ordered) if later - earlier > settle)
    burst_began = max(pauses, default=ordered[0])
    return min(ordered[-1] + settle, burst_began + LONGEST)
