"""The dashboards before a warehouse that keeps answers back: `python -m tests.dashboards.held`.

While the file that HELD_QUESTIONS names holds the name of a question on a line, whoever asks that question waits.
"""

import os
import time
from pathlib import Path
from typing import Any

from dashboards import app
from warehouse import questions

_HELD = Path(os.environ["HELD_QUESTIONS"])
_ask = questions.ask


def _when_let(question: str, **values: Any) -> list[questions.Row]:
    while question in _HELD.read_text().splitlines():
        time.sleep(0.05)
    return _ask(question, **values)


if __name__ == "__main__":
    questions.ask = _when_let
    app.main()
