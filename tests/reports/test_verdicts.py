"""The verdicts of a gate in the terminal."""

from __future__ import annotations

from typing import Any

from pytest_lem.reports.verdicts import render_notes, render_verdicts
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


def test_a_narrow_terminal_keeps_the_change() -> None:
    """Other columns give way first, then the row becomes lines; nothing is cut."""
    case = "infer/transformers/smollm2-135m-instruct/bfloat16/default/b8"
    found = [_compared(case=case, verdict="regressed", sessions=8)]
    for width in (40, 60, 80, 120):
        text = render_verdicts(found, width=width, is_colored=False, verbosity=0)
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        assert "+3.0 % [+1.0, +5.0]" in text
        assert "REGRESSED" in text
        assert "…" not in text
    wide, narrow = (
        render_verdicts(found, width=width, is_colored=False, verbosity=0) for width in (120, 60)
    )
    assert ("sessions" in wide, "sessions" in narrow) == (True, False)


def test_a_verdict_in_lines_begins_with_its_word() -> None:
    """Then the case, and below it the figure with its change."""
    text = render_verdicts([_compared()], width=40, is_colored=False, verbosity=1)
    lines = [line.rstrip() for line in text.splitlines()]
    start = lines.index("PASS infer/b/case")
    assert lines[start + 1] == "  token/s  +3.0 % [+1.0, +5.0]"


def test_cycles_are_told_apart() -> None:
    """Each has its row."""
    found = [_compared(verdict="regressed", sessions=8, cycle=n) for n in (1, 2)]
    text = _shown(*found)
    assert "infer/b/case, cycle 1" in text
    assert "infer/b/case, cycle 2" in text
    assert "cycle" not in _shown(_compared(verdict="regressed", sessions=8))


def test_what_is_too_small_to_see_has_no_minus() -> None:
    """Neither a change nor a part of it is `-0.0 %`."""
    parts = {"energy_pct": -0.04, "power_pct": 0.01, "speed_pct": -0.03}
    text = _shown(_compared(ratio=0.9996, interval=[0.9, 0.9999], pairs=9, attribution=parts))
    assert "+0.0 % [-10.0, +0.0]" in text
    assert "+0.0 %, +0.0 %" in text


def test_notes_are_folded() -> None:
    """At the width of the terminal, to the letter."""
    text = render_notes(["a [red]word[/] " * 9, "b"], width=40, is_colored=False)
    assert max(map(len, text.splitlines())) <= 40
    assert " ".join(text.split()) == " ".join(["a [red]word[/]"] * 9) + " b"
