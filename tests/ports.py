"""A port that a program of a test may listen on."""

import socket


def free() -> int:
    """One of loopback that nobody holds now; whoever needs it takes it soon."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
