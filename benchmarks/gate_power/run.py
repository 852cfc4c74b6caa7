"""How often the gate alarms for nothing, and how much it finds, on sessions that are made.

Prints the pages and writes them to `docs/gate-power.md` and `docs/pair-power.md`. The same figures
come out each time: all luck is seeded. With --quick there are few suites, and the pages are only
printed.

    tox run -e gate-power
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pairs
from page import FIGURES, Found, page
from simulation import LONG, SHARED, Effort, admit, grown, join_all, rates, step

DOCS = Path(__file__).resolve().parents[2] / "docs"
#: Suites of paired comparisons in which nothing has changed.
PAIR_SUITES, QUICK_PAIR_SUITES = 400, 20
SCATTERS = (0.01, 0.02)
#: Twice what is assumed; nothing is stated about it.
WILD = 0.04
CHANGES = (0.05, 0.10, 0.15)
HISTORIES = (1, 2, 8)
SPANS = ((1, 1), (2, 3), (4, 8), (9, 30))


class Efforts(NamedTuple):
    """How much is simulated in each part. Short histories are cheap, and their alarms rare."""

    quiet: dict[int, Effort]
    wild: dict[int, Effort]
    worse: Effort
    step_suites: int
    grown_suites: int


FULL = Efforts(
    quiet={
        1: Effort(3000, 1, 20),
        2: Effort(2400, 1, 20),
        8: Effort(800, 2, 20),
        LONG: Effort(300, 2, 10),
    },
    wild={
        1: Effort(200, 1, 4),
        2: Effort(200, 1, 4),
        8: Effort(100, 1, 4),
        LONG: Effort(60, 2, 4),
    },
    worse=Effort(60),
    step_suites=60,
    grown_suites=40,
)
QUICK = Efforts(
    quiet={1: Effort(20), 2: Effort(20), 8: Effort(10), LONG: Effort(3)},
    wild={1: Effort(5), 8: Effort(5)},
    worse=Effort(3),
    step_suites=3,
    grown_suites=2,
)


def main() -> int:
    """Simulate, print the pages, and keep them."""
    asked = _arguments()
    makers = {"gate-power.md": _history_page, "pair-power.md": _pair_page}
    for name, make in makers.items():
        if asked.only not in {None, name}:
            continue
        start_s = time.monotonic()
        text = make(is_quick=asked.quick)
        print(f"{name}: {time.monotonic() - start_s:.0f} s", file=sys.stderr)
        print(text)
        if asked.write or not asked.quick:
            ((asked.write or DOCS) / name).write_text(text, encoding="utf-8")
    return 0


def _history_page(*, is_quick: bool) -> str:
    efforts = QUICK if is_quick else FULL
    return page(simulated(efforts), _how(efforts))


def _pair_page(*, is_quick: bool) -> str:
    suites = QUICK_PAIR_SUITES if is_quick else PAIR_SUITES
    how = f"Python {platform.python_version()}, fixed seeds, {suites} suites a row about no change."
    return pairs.page(suites, how)


def simulated(efforts: Efforts) -> Found:
    """Run all parts."""
    quiet = {
        (sessions, scatter): rates(sessions, scatter, effort)
        for scatter, chosen in (*((s, efforts.quiet) for s in SCATTERS), (WILD, efforts.wild))
        for sessions, effort in chosen.items()
    }
    worse = {
        (sessions, scatter, change): rates(sessions, scatter, efforts.worse, worse=change)
        for sessions in HISTORIES
        for change in CHANGES
        for scatter in SCATTERS
    }
    least = {
        (sessions, scatter): rates(sessions, scatter, efforts.worse, is_own_least=True)
        for scatter in (*SCATTERS, WILD)
        for sessions in HISTORIES
    }
    steps = {
        (scatter, admission is admit): step(scatter, efforts.step_suites, admission=admission)
        for admission in (admit, join_all)
        for scatter in SCATTERS
    }
    growing = {
        scatter: dict(
            zip(SPANS, grown(scatter, efforts.grown_suites, SPANS, mode=SHARED), strict=True)
        )
        for scatter in SCATTERS
    }
    return Found(quiet=quiet, worse=worse, least=least, steps=steps, grown=growing)


def _how(efforts: Efforts) -> str:
    counts = ", ".join(
        f"{FIGURES * e.suites * e.nights:,} for {sessions}" for sessions, e in efforts.quiet.items()
    )
    return (
        f"Python {platform.python_version()}, fixed seeds. Figures behind a row about false "
        f"alarms at 1 and 2 %, by sessions of history: {counts}. Behind a row about changes: "
        f"{FIGURES * efforts.worse.suites:,}."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few suites, and only print the pages")
    parser.add_argument("--write", type=Path, help="write the pages into this folder")
    parser.add_argument("--only", choices=("gate-power.md", "pair-power.md"), help="one page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
