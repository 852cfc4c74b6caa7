"""What the harness costs: throughput, start-up, collection, sampling, traffic; paired in one run.

A benchmark, not a test: a missed goal is printed and exits 0; only a part that could not run
exits 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import traceback
from pathlib import Path

import collection
import comparing
import exporting
import reporting
import sampling
import startup
import throughput
import traffic
from pairing import Figure

PARTS = {
    "throughput": throughput,
    "startup": startup,
    "collection": collection,
    "sampling": sampling,
    "comparing": comparing,
    "exporting": exporting,
    "reporting": reporting,
    "traffic": traffic,
}


def main() -> int:
    """Run the parts, print a table for each, write the JSON."""
    asked = _arguments()
    machine = (
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{machine} before the start", flush=True)
    found: dict[str, list[Figure]] = {}
    for name in asked.only or PARTS:
        try:
            found[name] = PARTS[name].measure(quick=asked.quick, threads=asked.threads)
        except Exception:  # noqa: BLE001 - the other parts still count
            traceback.print_exc()
            print(f"{name} could not run; the lines above say why", file=sys.stderr)
        else:
            _print(name, found[name])
    if asked.json:
        parts = {name: [_plain(f) for f in figures] for name, figures in found.items()}
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps({"machine": machine, "parts": parts}, indent=2) + "\n")
    return 0 if found.keys() == set(asked.only or PARTS) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part (repeatable)")
    parser.add_argument("--threads", type=int, help="threads of PyTorch on both sides")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def _print(name: str, figures: list[Figure]) -> None:
    """Print the figures and, below, what they include."""
    rows = [figure.row() for figure in figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"\n{name}")
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())
    print(f"\n{PARTS[name].__doc__.rstrip()}", flush=True)


def _plain(figure: Figure) -> dict[str, object]:
    return {**figure._asdict(), "estimate": figure.estimate._asdict(), "met": figure.is_met}


if __name__ == "__main__":
    sys.exit(main())
