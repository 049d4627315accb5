"""What a reader or a client's generator takes from the reference: bodies as they are sent, files as they are."""

import json
from typing import Any

import pytest
from fastapi import FastAPI

from realtime.api import router
from realtime.api.bodies import Body
from realtime.api.booking_shapes import NewAppointment
from realtime.api.campaign_shapes import NewCampaign
from realtime.api.contacts import ContactChange
from realtime.api.conversations import Answer
from realtime.api.webhook_endpoints import NewEndpoint

SHOWN: tuple[type[Body], ...] = (Answer, ContactChange, NewCampaign, NewAppointment, NewEndpoint)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    app = FastAPI()
    for family in router.FAMILIES:
        app.include_router(family)
    return app.openapi()


@pytest.mark.parametrize("shape", SHOWN, ids=lambda shape: shape.__name__)
def test_each_example_is_a_body_that_is_taken(document: dict[str, Any], shape: type[Body]) -> None:
    schema = document["components"]["schemas"][shape.__name__]

    (example,) = schema["examples"]
    shape.model_validate_json(json.dumps(example))
    assert schema["additionalProperties"] is False
    assert set(schema.get("required", ())) <= example.keys()


def test_every_route_that_takes_a_file_says_so(document: dict[str, Any]) -> None:
    families = (route for family in router.FAMILIES for route in family.routes)
    takers = [(route.path, method.lower()) for route in families if route.takes_files for method in route.methods]

    assert len(takers) >= 3
    for path, method in takers:
        body = document["paths"][path][method]["requestBody"]
        assert body["required"]
        assert {entry["schema"]["format"] for entry in body["content"].values()} == {"binary"}
