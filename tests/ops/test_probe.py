from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stream.ops.probe import answers


class Probed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("path", "expected"), [("/readyz", True), ("/other", False)])
def test_a_probe_tells_a_good_answer_from_a_bad_one(path: str, expected: bool) -> None:
    with HTTPServer(("127.0.0.1", 0), Probed) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert answers(f"http://127.0.0.1:{server.server_port}{path}") is expected
        thread.join()


def test_nobody_there_is_no_good_answer() -> None:
    assert answers("http://127.0.0.1:1/readyz") is False
