"""The verdicts of a gate in the terminal."""

from __future__ import annotations

from typing import Any

from pytest_lem.reports.verdicts import render_verdicts
from pytest_lem.results.comparison import Comparison


def _compared(**fields: Any) -> Comparison:
    own = {
        "case": "infer/b/case", "metric": "output_throughput_tok_s", "baseline": "backend:a",
        "candidate": "r", "verdict": "pass", "ratio": 1.03, "interval": [1.01, 1.05], "mde": 0.04,
    }  # fmt: skip
    return Comparison(**{**own, **fields})


def _shown(*found: Comparison, verbosity: int = 0) -> str:
    return render_verdicts(found, width=120, is_colored=False, verbosity=verbosity)


def test_two_sides_are_shown_however_they_compare() -> None:
    """How far they are apart is what was asked; of a history, what passes is counted only."""
    pair = _shown(_compared(pairs=10))
    assert "PASS" in pair
    assert "+3.0 % [+1.0, +5.0]" in pair
    assert pair.splitlines()[1].split()[-1] == "pairs"
    night = _shown(_compared(sessions=8))
    assert "PASS" not in night
    assert "1 figure of 1 case against backend:a: 1 pass" in night
    assert "sessions" in _shown(_compared(sessions=8), verbosity=1)
