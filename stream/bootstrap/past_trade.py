"""What a demo's shop has done so far, so that `--keep` goes on with the same shop: it forgets when it ends."""

from __future__ import annotations

import json
import time
from pathlib import Path

from stream.sandbox.world.trade import Change, Trade


class PastTrade:
    """`began_at`: when the shop's year of trade ended (UTC ms). Every live change is kept and can be made again."""

    def __init__(self, path: Path, began_at: int, changed_at: list[int]) -> None:
        self.began_at = began_at
        self._path = path
        self._changed_at = changed_at

    @classmethod
    def of(cls, folder: Path) -> PastTrade:
        """What the folder remembers, or the beginning of a new shop."""
        path = folder / "trade.json"
        try:
            known = json.loads(path.read_text())
        except FileNotFoundError:
            return cls(path, int(time.time() * 1000), [])
        return cls(path, known["began_at"], known["changed_at"])

    @property
    def changes(self) -> int:
        """How many live changes there were."""
        return len(self._changed_at)

    def again(self, trade: Trade) -> None:
        """Make every change again: a world and its trade are the same for the same seed and times."""
        for at in self._changed_at:
            trade.run(1, at)

    def change(self, trade: Trade, at: int) -> list[Change]:
        """Make one more change, and remember it."""
        self._changed_at.append(at)
        self.save()
        return trade.run(1, at)

    def save(self) -> None:
        """Write it down."""
        self._path.write_text(json.dumps({"began_at": self.began_at, "changed_at": self._changed_at}))
