from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream.bootstrap.last_words import NOTHING, LastWords

INFO = json.dumps({"event": "all is well", "level": "info"})
WARNING = json.dumps({"event": "poll failed", "level": "warning", "reason": "HTTP 503"})
CRASH = json.dumps({"event": "a unit failed", "level": "error", "exception": "Traceback …\n  line\nKeyError: 'x'"})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], NOTHING),
        ([INFO], NOTHING),
        ([WARNING, INFO], "poll failed: HTTP 503"),
        ([WARNING, CRASH], "a unit failed: KeyError: 'x'"),
        ([WARNING, "Fatal Python error: Aborted"], "Fatal Python error: Aborted"),
        (
            [INFO, "loyalty poll: the configuration", "  cannot be used"],
            "loyalty poll: the configuration\n  cannot be used",
        ),
    ],
)
def test_what_tells_most_of_what_went_wrong_is_repeated(lines: list[str], said: str, tmp_path: Path) -> None:
    log = tmp_path / "poll.log"
    log.write_text("loyalty poll: an earlier end\n")
    words = LastWords(log)
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)
    assert words.text() == said


def test_a_log_that_never_came_says_nothing(tmp_path: Path) -> None:
    assert LastWords(tmp_path / "none.log").text() == NOTHING
    assert LastWords(None).text() == NOTHING
