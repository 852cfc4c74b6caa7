"""What the harness costs: throughput, start-up and collection, as paired ratios in one run.

`python run.py [--quick] [--only NAME] [--threads N] [--json PATH]`. It is a benchmark, not a
test: a missed goal is printed and exits 0; only a part that could not run exits 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import collection
import startup
import throughput
from pairing import Figure

PARTS: dict[str, ModuleType] = {
    "throughput": throughput,
    "startup": startup,
    "collection": collection,
}


def main() -> int:
    """Run the parts, print the table, write the JSON."""
    asked = _arguments()
    print(_machine())
    found: dict[str, list[Figure]] = {}
    for name in asked.only or PARTS:
        try:
            found[name] = PARTS[name].measure(quick=asked.quick, threads=asked.threads)
        except Exception:  # noqa: BLE001 - the other parts still count
            traceback.print_exc()
            print(f"{name} could not run; the lines above say why", file=sys.stderr)
            continue
        _print(name, found[name])
    print("\nWhat is included")
    print("\n".join(PARTS[name].INCLUDED for name in found))
    if asked.json:
        _write(asked.json, found)
    return 0 if len(found) == len(asked.only or PARTS) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part (repeatable)")
    parser.add_argument("--threads", type=int, help="threads of PyTorch on both sides")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def _machine() -> str:
    load = "" if not hasattr(os, "getloadavg") else f", load {os.getloadavg()[0]:.1f}"
    return f"Python {platform.python_version()}, {os.cpu_count()} CPUs{load} before the start"


def _print(name: str, figures: list[Figure]) -> None:
    print(f"\n{name}")
    rows = [figure.row() for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        print("  ".join(["", *cells, row[4]]).rstrip(), flush=True)


def _write(path: Path, found: dict[str, list[Figure]]) -> None:
    content = {
        "machine": _machine(),
        "parts": {
            name: [
                {**asdict(figure), "estimate": figure.estimate._asdict(), "met": figure.is_met}
                for figure in figures
            ]
            for name, figures in found.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
