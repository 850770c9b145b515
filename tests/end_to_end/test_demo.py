"""`loyalty demo`, as it is started by somebody who has just cloned the repository."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.programs import LOYALTY, Ended, Program, alive, eventually, loyalty

BRIEF = {
    "totalCustomers": 1641,
    "withAlpineSync": 245,
    "withCalculatedPoints": 1641,
    "reconciled": 240,
    "needsReview": 5,
}
PHASES = ["start", "connect", "orders", "balances", "verdicts", "firstSync", "total"]
HOSTILE_SEED = 23


class Shown:
    """A demo that has ended: its answer, its folder, and the processes that it had."""

    def __init__(self, ended: Ended, folder: Path, had: dict[int, str]) -> None:
        self.ended = ended
        self.folder = folder
        self.had = had


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Shown]]:
    """Two at once, each in a fresh folder: the plain one and the hostile one."""
    lines = {"plain": ("--seed", "7"), "hostile": ("--seed", str(HOSTILE_SEED), "--hostile")}
    folders = {name: tmp_path_factory.mktemp(name) for name in lines}
    programs = {
        name: Program(*LOYALTY, "demo", "--once", "--json", *words, folder=folders[name])
        for name, words in lines.items()
    }
    had: dict[str, dict[int, str]] = {name: {} for name in lines}

    def ended() -> bool:
        for name, program in programs.items():
            # What a process is called is known only while it runs.
            had[name] |= {pid: line for pid, line in program.children.items() if line}
        return all(program.process.poll() is not None for program in programs.values())

    try:
        eventually(ended, 150, lambda: "\n".join(program.err for program in programs.values()))
        yield {name: Shown(programs[name].ended(), folders[name], had[name]) for name in lines}
    finally:
        for program in programs.values():
            program.stop()


def test_the_answer_is_one_line_of_json_with_the_briefs_figures_and_every_profile_is_right(
    demos: dict[str, Shown],
) -> None:
    ended = demos["plain"].ended
    assert ended.code == 0, ended.err
    (line,) = ended.out.splitlines()
    answer = json.loads(line)
    assert {name: answer[name] for name in BRIEF} == BRIEF
    assert answer["lastSyncAt"].endswith("Z")
    assert answer["oracle"] == {"profilesCompared": 1641, "profilesWrong": 0}


def test_the_phases_are_seconds_of_one_clock_and_add_up(demos: dict[str, Shown]) -> None:
    phases = json.loads(demos["plain"].ended.out)["phases"]
    assert list(phases) == PHASES
    assert sum(phases[name] for name in PHASES[1:5]) == pytest.approx(phases["firstSync"], abs=0.05)
    assert phases["start"] + phases["firstSync"] <= phases["total"] + 0.05
    assert all(seconds > 0 for name, seconds in phases.items() if name not in ("balances", "verdicts"))


def test_what_happens_is_told_in_words_without_saying_anything_twice(demos: dict[str, Shown]) -> None:
    lines = demos["plain"].ended.err.splitlines()
    told = "\n".join(lines)
    assert "2,689 orders, 1,641 customers" in lines[0]
    assert "read 2,689 orders of 1,641 customers from Alleaves" in told
    assert "245 of them a balance at Alpine IQ: 240 agree, 5 need review" in told
    assert len([line for line in lines if "Alpine IQ shows" in line and "orders give" in line]) == 5
    assert [line for line in lines if lines.count(line) > 1] == []
    assert not [line for line in lines if line.startswith(("{", "Traceback"))]


def test_its_run_can_be_watched_to_its_end_and_is_kept_with_the_briefs_figures(demos: dict[str, Shown]) -> None:
    (file,) = demos["plain"].folder.rglob("loyalty.toml")
    watched = loyalty("runs", "watch", "--json", "--config", str(file), folder=demos["plain"].folder)
    assert watched.code == 0, watched.err
    last = json.loads(watched.out.splitlines()[-1])
    assert (last["id"], last["outcome"], last["kind"]) == ("brand_example:daily:first", "completed", "daily")
    assert {name: last["stats"][name] for name in BRIEF} == BRIEF
    assert last["stats"]["lastSyncAt"] == last["endedAt"]
    assert {name: use["calls"] == use["answered"] for name, use in last["vendors"].items()} == {
        "alleaves": True, "alpine_iq": True,
    }  # fmt: skip
    assert list(last["phasesMs"]) == ["orders", "balances", "verdicts"]
    assert float(last["averageDiscrepancy"]) > 0


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_nothing_is_left_running_and_no_address_is_left_behind(demos: dict[str, Shown], name: str) -> None:
    shown = demos[name]
    assert any("java" in line for line in shown.had.values())
    assert any("stream.cli worker" in line for line in shown.had.values())
    assert [line for pid, line in shown.had.items() if alive(pid)] == []
    assert list(shown.folder.rglob("endpoints.json")) == []


def test_a_hostile_world_comes_out_right_as_well(demos: dict[str, Shown]) -> None:
    ended = demos["hostile"].ended
    assert ended.code == 0, ended.err + ended.out
    answer = json.loads(ended.out)
    assert answer["oracle"]["profilesWrong"] == 0
    assert answer["oracle"]["profilesCompared"] > 1500


def test_what_cannot_be_understood_is_a_dead_letter_with_its_reason(demos: dict[str, Shown]) -> None:
    (views,) = demos["hostile"].folder.rglob("views.db")
    with sqlite3.connect(f"file:{views}?mode=ro", uri=True) as connection:
        letters = connection.execute("SELECT stage, reason, excerpt FROM dead_letters").fetchall()
    assert len(letters) >= 5
    assert {stage.partition(".")[0] for stage, _, _ in letters} >= {"alleaves"}
    assert all(reason and excerpt for _, reason, excerpt in letters)


def test_the_logs_of_the_roles_hold_no_noise_and_no_errors(demos: dict[str, Shown]) -> None:
    (logs,) = demos["plain"].folder.rglob("logs")
    entries = [
        {"file": path.name} | json.loads(line)
        for path in sorted(logs.iterdir())
        for line in path.read_text().splitlines()
    ]
    assert [entry for entry in entries if entry["level"] not in ("info", "debug")] == []
    assert [
        entry for entry in entries if "Starting..." in entry["event"] or "opening partition" in entry["event"]
    ] == []
    said = {entry["event"]: entry for entry in entries}
    assert {"sync started", "batch completed", "sync completed"} <= said.keys()
    completed = said["sync completed"]
    assert (completed["calculated"], completed["provider"], completed["reconciled"]) == (1641, 245, 240)
    assert completed["duration_seconds"] > 0
