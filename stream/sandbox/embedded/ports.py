"""TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

LISTENING_PORTS = range(20_000, 32_768)
"""Below what Linux and macOS hand out to outgoing connections. A client that keeps trying to reach a server
that is down would otherwise sooner or later be given the server's own port, connect to itself and hold it."""

ATTEMPTS = 100


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: closed connections linger
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(1)
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that is free now, chosen at random so that two processes that look at once rarely agree."""
    for port in random.sample(LISTENING_PORTS, ATTEMPTS):
        if is_free(port):
            return port
    raise OSError(f"no free port among {ATTEMPTS} tried between {LISTENING_PORTS.start} and {LISTENING_PORTS.stop - 1}")
