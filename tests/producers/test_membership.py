"""Names in the producers' group."""

from __future__ import annotations

from pathlib import Path

import pytest

from producers.membership import Membership
from stream.errors import ConfigurationError


def test_a_restart_keeps_its_name_and_a_second_process_beside_it_has_another(tmp_path: Path) -> None:
    first, second = Membership(tmp_path), Membership(tmp_path)
    names = [first.name, second.name]
    assert len(set(names)) == 2
    first.release()
    again = Membership(tmp_path)
    assert [again.name, second.name] == names
    third = Membership(tmp_path)
    assert third.name not in names
    for each in (first, second, third, again):
        each.release()


def test_another_folder_or_machine_has_other_names(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    members = [Membership(folder) for folder in folders]
    assert len({member.name for member in members}) == 2
    for member in members:
        member.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="data_dir"):
        Membership(tmp_path / "missing")
