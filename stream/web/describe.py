"""`python -m stream.web.describe`: write docs/openapi.yaml. Needs PyYAML, a development dependency."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from stream.web.app import described


class _Plain(yaml.SafeDumper):
    """Repeats what occurs twice: a reader should not have to follow anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml() -> str:
    """The document's text."""
    return yaml.dump(described().openapi(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    (docs / "openapi.yaml").write_text(as_yaml(), encoding="utf-8")
