"""Annotations for GitHub Actions: which there are, and how they are written."""

from __future__ import annotations

import pytest

from pytest_lem.errors import FailureKind
from pytest_lem.gate.verdict import FAILING
from pytest_lem.reports.annotations import Annotation, Place, annotate, commands
from pytest_lem.results.comparison import Comparison


def comparison(verdict: str, case: str = "t::f", **fields) -> Comparison:
    """Return a comparison of the duration of a call."""
    values = {"nodeid": "t.py::f", "metric": "call_duration_s", "baseline": "main", **fields}
    values.setdefault("message", f"{case} is {verdict}")
    return Comparison(case=case, candidate="run", verdict=verdict, **values)


def levels(*comparisons: Comparison, records=(), problems=(), failing=FAILING):
    """Return level, title and message of each annotation."""
    found = annotate(comparisons, records, problems, failing=failing, place_of=lambda _: None)
    return [(a.level, a.title, a.message) for a in found]


@pytest.mark.parametrize(
    ("text", "message", "title"),
    [
        ("50 %", "50 %25", "50 %25"),
        ("a\r\nb", "a%0D%0Ab", "a%0D%0Ab"),
        ("f[a,b]: c", "f[a,b]: c", "f[a%2Cb]%3A c"),
        ("%3A ::error::", "%253A ::error::", "%253A %3A%3Aerror%3A%3A"),
    ],
)
def test_text_is_escaped(text, message, title):
    """A property ends at a comma and a colon too; no text can begin a command of its own."""
    [line] = commands([Annotation(level="error", title=text, message=text)])
    assert line == f"::error title={title}::{message}"


def test_a_place_is_a_file_and_a_line():
    """The line is left out where it is not known."""
    found = [
        Annotation(level="error", title="t", message="m", place=Place("a,b/t.py", 7)),
        Annotation(level="warning", title="t", message="m", place=Place("t.py")),
    ]
    assert commands(found) == [
        "::error file=a%2Cb/t.py,line=7,title=t::m",
        "::warning file=t.py,title=t::m",
    ]


def test_each_failing_verdict_is_an_error():
    """Regressions first; what passes is not mentioned."""
    found = [comparison(v, v) for v in ("pass", "missing", "improved", "invalid", "regressed")]
    assert levels(*found) == [
        ("error", "energy regressed: regressed", "regressed is regressed"),
        ("error", "energy missing: missing", "missing is missing"),
        ("error", "energy invalid: invalid", "invalid is invalid"),
    ]


def test_a_verdict_that_the_settings_let_pass_is_a_warning():
    """It would fail by default, so somebody should see it."""
    found = [comparison(v, v) for v in ("pass", "inconclusive", "regressed")]
    assert [level for level, *_ in levels(*found, failing=["invalid"])] == ["warning"] * 2


@pytest.mark.parametrize(
    ("ratio", "reasons", "count"),
    [
        (1.2, ["not_repeated"], 1),
        (1.2, ["not_repeatable", "scatter_assumed"], 1),
        (0.8, ["not_repeated"], 0),
        (1.2, ["first_session"], 0),
        (1.2, ["too_coarse", "scatter_assumed"], 0),
        (None, ["not_repeated"], 0),
    ],
)
def test_provisional_verdicts_warn_of_what_was_flagged_once(ratio, reasons, count):
    """To the worse alone; a young history is no news."""
    found = levels(comparison("provisional", ratio=ratio, reasons=reasons))
    assert [level for level, *_ in found] == ["warning"] * count


def test_higher_may_be_better():
    """What is worse depends on the metric."""
    metric, reasons = "output_throughput_tok_s", ["not_repeated"]
    for ratio, count in ((0.8, 1), (1.2, 0)):
        c = comparison("provisional", metric=metric, ratio=ratio, reasons=reasons)
        assert len(levels(c)) == count


def test_a_long_history_that_scatters_too_much_is_one_warning():
    """However many figures there are, with the largest change that can hide."""
    reasons = ["too_coarse"]
    found = [comparison("provisional", str(n), reasons=reasons, mde=n / 10) for n in (2, 3, 1)]
    [(level, _, message)] = levels(*found)
    assert level == "warning"
    assert message.startswith(
        "3 figures scatter too much between sessions: changes below 30 % can stay unseen; "
    )


def test_a_problem_of_the_run_has_no_place():
    """One that a verdict has said already is not said again."""
    c = comparison("missing")
    found = levels(c, problems=["t::f: t::f is missing", "nothing was compared"])
    assert found == [
        ("error", "energy missing: t::f", "t::f is missing"),
        ("error", "energy: the run", "nothing was compared"),
    ]


def test_a_budget_is_an_error_and_other_failures_are_not(call):
    """A test that failed by itself is pytest's to tell; a case measured twice is told once."""
    over, other = call("a"), call("b")
    for record, kind in ((over, FailureKind.GATE), (other, FailureKind.TEST)):
        record.status, record.failure_kind, record.message = "failed", kind, "over the budget"
    found = levels(records=[over, over.model_copy(update={"repetition": 2}), other])
    assert found == [("error", "energy failed: a", "over the budget")]


def test_a_verdict_is_not_told_again_by_its_record(call):
    """The record of a regression carries the same sentences."""
    record = call("a")
    record.status, record.failure_kind, record.message = "failed", FailureKind.GATE, "x; y"
    found = [comparison("regressed", "a", digest=record.case.digest, message=m) for m in "xy"]
    assert [message for *_, message in levels(*found, records=[record])] == ["x", "y"]


@pytest.mark.parametrize(("count", "lines"), [(10, 10), (11, 10), (40, 10)])
def test_the_tenth_counts_the_rest(count, lines):
    """GitHub drops what comes after it without a word; each kind has ten of its own."""
    found = [
        Annotation(level=level, title="t", message=str(n))
        for n in range(count)
        for level in ("warning", "error")
    ]
    written = commands(found)
    for level, part in (("error", written[:lines]), ("warning", written[lines:])):
        assert len(part) == lines
        assert all(line.startswith(f"::{level} ") for line in part)
        assert part[8] == f"::{level} title=t::8"
        is_whole = count <= 10
        assert part[9].startswith(
            f"::{level} title=t::9"
            if is_whole
            else f"::{level} title=energy%3A there is more::{count - 9} more; "
        )
