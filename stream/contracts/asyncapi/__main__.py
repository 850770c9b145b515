"""`python -m stream.contracts.asyncapi`: write docs/asyncapi.yaml. Needs PyYAML, a development dependency."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import yaml

from stream.contracts.asyncapi import Sample, Samples, document


class _Plain(yaml.SafeDumper):
    """Repeats what occurs twice: a reader should not have to follow anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def read(folder: Path) -> Samples:
    """The samples in `folder`/TOPIC/NAME.json. Raises `msgspec.DecodeError` when a file is none."""
    samples: dict[str, dict[str, Sample]] = {}
    for path in sorted(folder.glob("*/*.json")):
        samples.setdefault(path.parent.name, {})[path.stem] = msgspec.json.decode(path.read_bytes(), type=Sample)
    return samples


def as_yaml(samples: Samples) -> str:
    """The document's text."""
    return yaml.dump(document(samples), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    docs = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    (docs / "asyncapi.yaml").write_text(as_yaml(read(docs / "samples")), encoding="utf-8")
