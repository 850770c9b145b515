"""What the processes of a tree take of the machine, seen from outside (Linux's /proc)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

MEGABYTE = 1 << 20
BLOCK = 512


class Sample(NamedTuple):
    """One process at one moment. `resident`: bytes of memory; `files`: open descriptors."""

    pid: int
    resident: int
    files: int

    def __str__(self) -> str:
        return f"{self.resident / MEGABYTE:.0f} MB {self.files} files"


def roles() -> dict[str, Sample]:
    """Every role that is a child of this process, by name: `worker`, `web`, `poll`, `sink firestore`; `broker` too."""
    return {name: _sample(pid) for pid in _children() if (name := _role(_arguments(pid))) is not None}


def folder_bytes(folder: Path) -> int:
    """What all files below a folder take of the disk (Kafka's indexes are mostly holes); vanished ones nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).lstat().st_blocks * BLOCK
            except FileNotFoundError:
                continue
    return total


def grown(values: Sequence[int]) -> int:
    """How much more at the end than after the warm-up, between the medians of the second and of the last quarter."""
    quarter = max(1, len(values) // 4)
    after_warm_up = values[quarter : 2 * quarter] or values[:1]
    return round(median(values[-quarter:]) - median(after_warm_up))


def _children() -> Iterator[int]:
    for task in Path("/proc/self/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except FileNotFoundError:
        return []


def _role(arguments: list[str]) -> str | None:
    if "stream.cli" in arguments:
        words = arguments[arguments.index("stream.cli") + 1 :]
        return " ".join(word for word in words[:2] if not word.startswith("-"))
    return "broker" if any(word.startswith("kafka.") for word in arguments) else None


def _sample(pid: int) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return Sample(pid, int(kilobytes) * 1024, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))
