"""What a job of GitHub Actions shows beside its code: what failed it, and what a person should see.

A line of the log that begins with `::error` or `::warning` is an annotation, which GitHub shows on
the page of the job and beside the file that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_lem.errors import FailureKind
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.record import Record

#: GitHub shows so many of a kind for each step of a job, and drops the rest without a word.
MOST = 10
#: Verdicts that are worth a warning where the settings let them pass.
_GRAVE = frozenset(
    {
        Verdict.REGRESSED,
        Verdict.INCONCLUSIVE,
        Verdict.INVALID,
        Verdict.INCOMPARABLE,
        Verdict.MISSING,
    }
)
#: What was flagged once, and could not be measured again or did not show again.
_SEEN_ONCE = frozenset({Cause.NOT_REPEATABLE, Cause.NOT_REPEATED})
#: Of records: failures that are a judgement about energy. Others are failures like any other's.
_JUDGED = frozenset({FailureKind.GATE, FailureKind.METER})


@dataclass(frozen=True, slots=True)
class Place:
    """A file, relative to the checkout, and the line from 1 up, if it is known."""

    file: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One sentence with its title, and where it belongs."""

    level: Literal["error", "warning"]
    title: str
    message: str
    place: Place | None = None


#: Finds the place of a test by its node id.
Finder = Callable[[str | None], Place | None]


def annotate(
    comparisons: Sequence[Comparison],
    records: Sequence[Record],
    problems: Sequence[str],
    *,
    failing: Collection[str],
    place_of: Finder,
) -> list[Annotation]:
    """Return an error for whatever fails a test or the run, and warnings, which are few.

    `failing` are the verdicts that fail; `records` are those of the last attempts, and `problems`
    sentences about the run as a whole.
    """
    ranked = sorted(comparisons, key=lambda c: c.verdict != Verdict.REGRESSED)
    found = [_of_verdict(c, "error", place_of) for c in ranked if c.verdict in failing]
    found += _of_records(records, comparisons, failing, place_of)
    said = {f"{c.case}: {c.message}" for c in comparisons}
    found += [
        Annotation(level="error", title="energy: the run", message=problem)
        for problem in problems
        if problem not in said
    ]
    passing = [c for c in ranked if c.verdict not in failing]
    found += [_of_verdict(c, "warning", place_of) for c in passing if _is_notable(c)]
    return [*found, *_of_blind_figures(comparisons)]


def commands(found: Sequence[Annotation]) -> list[str]:
    """Return the lines that GitHub reads: at most ten of a kind, the last of which counts the rest.

    Errors come first, and all are in the order in which they were found.
    """
    lines: list[str] = []
    for level in ("error", "warning"):
        some = [annotation for annotation in found if annotation.level == level]
        if len(some) > MOST:
            rest = len(some) - (MOST - 1)
            message = f"{rest} more; GitHub shows {MOST} of a kind, and the log has all of them"
            title = "energy: there is more"
            some[MOST - 1 :] = [Annotation(level=some[0].level, title=title, message=message)]
        lines += map(_command, some)
    return lines


def _command(annotation: Annotation) -> str:
    place = annotation.place
    properties = {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "title": annotation.title,
    }
    given = ",".join(f"{k}={_property(str(v))}" for k, v in properties.items() if v is not None)
    return f"::{annotation.level} {given}::{_data(annotation.message)}"


def _data(text: str) -> str:
    """Escape a message: a line ends the command, and `%` begins an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape a property, which a comma or a colon would end as well."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _of_verdict(c: Comparison, level: Literal["error", "warning"], place_of: Finder) -> Annotation:
    return Annotation(
        level=level,
        title=f"energy {c.verdict}: {c.case}",
        message=c.message or f"{c.metric} {c.verdict} against {c.baseline}",
        place=place_of(c.nodeid),
    )


def _of_records(
    records: Sequence[Record],
    comparisons: Sequence[Comparison],
    failing: Collection[str],
    place_of: Finder,
) -> Iterator[Annotation]:
    """Yield what budgets and tiers failed, once for each case of a test."""
    said: dict[str | None, list[str]] = {}
    for c in comparisons:
        if c.verdict in failing:
            said.setdefault(c.digest, []).append(c.message)
    told = set()
    for record in records:
        messages = said.get(record.case.digest, [])
        place = (record.nodeid, record.case.digest)
        is_verdict = record.message is not None and record.message == "; ".join(messages)
        if record.failure_kind not in _JUDGED or is_verdict or place in told:
            continue
        told.add(place)
        yield Annotation(
            level="error",
            title=f"energy failed: {record.case.key}",
            message=record.message or str(record.failure_kind),
            place=place_of(record.nodeid),
        )


def _is_notable(c: Comparison) -> bool:
    """Tell whether a verdict that fails nothing is still worth a person's time."""
    if c.verdict in _GRAVE:
        return True
    is_seen_once = c.verdict == Verdict.PROVISIONAL and not _SEEN_ONCE.isdisjoint(c.reasons)
    return is_seen_once and _is_worse(c)


def _is_worse(c: Comparison) -> bool:
    definition = METRICS.get(c.metric)
    if c.ratio is None or definition is None:
        return False
    return c.ratio < 1 if definition.direction == "higher" else c.ratio > 1


def _of_blind_figures(comparisons: Sequence[Comparison]) -> Iterator[Annotation]:
    """Yield one warning for all figures whose history is long and still too coarse.

    In a young history that is no news: it passes with the nights.
    """
    blind = [
        c
        for c in comparisons
        if c.verdict == Verdict.PROVISIONAL
        and Cause.TOO_COARSE in c.reasons
        and Cause.SCATTER_ASSUMED not in c.reasons
    ]
    if not blind:
        return
    count = "1 figure scatters" if len(blind) == 1 else f"{len(blind)} figures scatter"
    least = max((c.mde for c in blind if c.mde is not None), default=None)
    found = "" if least is None else f": changes below {100 * least:.0f} % can stay unseen"
    yield Annotation(
        level="warning",
        title="energy: the gate cannot keep its promise",
        message=f"{count} too much between sessions{found}; small changes need a paired "
        "comparison (--lem-ab)",
    )
