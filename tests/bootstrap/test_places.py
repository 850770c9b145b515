from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from stream.bootstrap.places import DataFolder
from stream.errors import ConfigurationError


def publish(root: Path, name: str) -> None:
    for port in range(50):
        DataFolder(root).publish(**{name: f"http://127.0.0.1:{port}"})


def names_in(root: Path) -> list[str]:
    return [path.name for path in root.iterdir()]


def test_roles_that_start_at_the_same_moment_do_not_undo_each_others_addresses(tmp_path: Path) -> None:
    names = ["worker", "web", "poll", "sink-firestore"]
    with ProcessPoolExecutor(len(names)) as pool:
        list(pool.map(publish, [tmp_path] * len(names), names))
    assert DataFolder(tmp_path).endpoints() == dict.fromkeys(names, "http://127.0.0.1:49")


async def test_one_tree_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    async with folder.held():
        with pytest.raises(ConfigurationError, match="is in use by the process"):
            async with DataFolder(tmp_path / "data").held():
                pass
    async with folder.held():
        pass


async def test_a_folder_is_emptied_without_letting_go_of_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    async with folder.held():
        (tmp_path / "kafka" / "data").mkdir(parents=True)
        (tmp_path / "views.db").touch()
        folder.empty()
        assert names_in(tmp_path) == ["running.lock"]
        with pytest.raises(ConfigurationError):
            async with DataFolder(tmp_path).held():
                pass
