"""The engine's connections, for what the agent looks up by itself."""

from tests.realtime.engine.conftest import pool

__all__ = ["pool"]
