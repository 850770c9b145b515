"""A wrong configuration ends every role before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.programs import loyalty

ORG = """
data_dir = "data"
[[org]]
id = "shop"
"""
ALLEAVES = """
[org.alleaves]
username = "u"
password = "env:PASSWORD"
"""
ALPINE = """
[org.alpine_iq]
uid = "1"
api_key = "env:PASSWORD"
"""


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[kafka]\npartitons = 4", "kafka.partitons: there is no such key; did you mean partitions?"),
        (ORG + ALLEAVES.replace("env:PASSWORD", "hunter2"), "org[0].alleaves.password: holds the secret itself"),
        (ORG + ALLEAVES.replace("PASSWORD", "NOT_SET"), "the environment variable NOT_SET is not set"),
        ("", "no [[org]] is configured"),
        (ORG + ALPINE, "neither [org.alleaves] nor brand_document"),
        (ORG + ALLEAVES, "has no [org.alpine_iq]"),
        (ORG + 'brand_document = "brands/shop"' + ALPINE, "firestore.project is not set"),
    ],
)
@pytest.mark.parametrize("role", ["up", "poll"])
def test_a_wrong_configuration_is_explained_and_nothing_is_started(
    role: str, toml: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "loyalty.toml").write_text(toml)
    ended = loyalty(role, folder=tmp_path, more={"PASSWORD": "x"})
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert said in ended.err
    assert "hunter2" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["loyalty.toml"]
