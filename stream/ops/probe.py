"""`python -m stream.ops.probe URL`: exit 0 when the URL answers 2xx, 1 otherwise. For container health checks."""

from __future__ import annotations

import sys
from urllib.error import URLError
from urllib.request import urlopen

TIMEOUT_SECONDS = 3


def answers(url: str) -> bool:
    """Whether a GET of an http URL answers 2xx within three seconds."""
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as response:
            return 200 <= int(response.status) < 300
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if len(sys.argv) == 2 and answers(sys.argv[1]) else 1)
