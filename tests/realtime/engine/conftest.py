"""The engine's connections to its database."""

from collections.abc import AsyncIterator

import pytest

from mychatflow.settings import Settings
from realtime.engine.pool import Pool, engine_pool


@pytest.fixture
async def pool(fresh: Settings) -> AsyncIterator[Pool]:
    async with engine_pool(fresh, name="test", size=3, patience_seconds=20) as opened:
        yield opened
