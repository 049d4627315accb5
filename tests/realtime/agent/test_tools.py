"""What a model may write into a call for a tool, and hears of it instead of ending the turn."""

import json
from types import SimpleNamespace

import pytest

from realtime.agent.tools import Toolbox
from realtime.llm.toolkit import ToolCall


def a_toolbox() -> Toolbox:
    """Of one service; none of these calls gets as far as the calendar."""
    service = {"id": "5f2b", "name": "haircut"}
    return Toolbox(desk=SimpleNamespace(is_rehearsal=False), scene=SimpleNamespace(), services=(service,))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("find_slots", '{"service": "haircut", "from": "9999-12-31", "to": "", "tz": ""}'),
        ("find_slots", '{"service": "haircut", "from": "9999-12-31", "to": "9999-12-31", "tz": ""}'),
        ("find_slots", '{"service": "haircut", "from": "tomorrow", "to": "", "tz": ""}'),
        ("find_slots", '{"service": "haircut", "from": "2026-'),
        ("find_slots", "[]"),
        ("find_slots", ""),
        ("confirm", '{"hold_id": "the one at five"}'),
        ("cancel", '{"appointment_id": null}'),
        ("launch", "{}"),
    ],
)
async def test_a_call_that_cannot_be_run_is_told_as_such(name, arguments):
    toolbox = a_toolbox()

    result = await toolbox.run(ToolCall(id="call_1", name=name, arguments=arguments))

    assert "error" in json.loads(result.content)
    assert toolbox.ran == [f"{name}: refused"]
