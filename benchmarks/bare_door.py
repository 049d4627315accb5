"""A server that says 429 to all but who asks whether it is up: what a flood costs the others without any of our work.

Run: `python -m benchmarks.bare_door PORT`, as `python -m benchmarks.abuse` does for its control.
"""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

from realtime.webhooks.http import WebhookRefused, refusal, taken


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        is_up = scope["path"] == "/ready"
        answer = taken("up") if is_up else refusal(WebhookRefused(429, "too_many", retry_after_seconds=1))
        await answer.send(send)


def main() -> None:
    uvicorn.run(refuse, port=int(sys.argv[1]), loop="uvloop", lifespan="off", log_config=None, access_log=False)


if __name__ == "__main__":
    main()
