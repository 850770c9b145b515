"""`python -m bench [pipeline|brief|latency|verdicts|web ...]`: measure, print, write `reports/bench.md` and `.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import brief, latency, pipeline, verdicts, web
from stream.ops.logging import configure_logging

BENCHES = {
    "pipeline": pipeline.measure,
    "brief": brief.measure,
    "latency": latency.measure,
    "verdicts": verdicts.measure,
    "web": web.measure,
}
REPORTS = Path("reports")


def main() -> None:
    """Run the benches asked for (default: all), one after the other."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="which ones (default: all)")
    parser.add_argument("--orders", type=int, default=400_000, help="orders for `pipeline` (default: 400,000)")
    arguments = parser.parse_args()
    configure_logging("error")
    results: dict[str, dict[str, object]] = {}
    for name in arguments.names or BENCHES:
        sys.stderr.write(f"bench {name} …\n")
        results[name] = asyncio.run(BENCHES[name](arguments.orders))
        print(name, json.dumps(results[name]), flush=True)
    _report(results)


def _report(results: dict[str, dict[str, object]]) -> None:
    REPORTS.mkdir(exist_ok=True)
    about = {
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }
    (REPORTS / "bench.json").write_text(json.dumps(about | {"results": results}, indent=2))
    where = f"{about['at']}, {about['cores']} cores, Python {about['python']}"
    lines = [f"# Benchmarks at {about['commit']}", "", where]
    for name, result in results.items():
        lines += ["", f"## {name}", "", "| what | value |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in result.items()]
    (REPORTS / "bench.md").write_text("\n".join(lines) + "\n")


def _commit() -> str:
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
