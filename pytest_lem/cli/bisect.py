"""`lem bisect`: the verdicts of a run as `git bisect run` wants to have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_lem.cli.printing import complain, say
from pytest_lem.errors import LemError
from pytest_lem.gate.verdict import Verdict, text_of
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.runfile import RunFile, read_run

#: What git takes for a commit that is fine, one that is not, and one that nobody can judge.
GOOD, BAD, SKIP = 0, 1, 125
#: From here on git ends the search; anything lower, such as 2, would call the commit bad.
ABORT = 128

_FINE = frozenset({Verdict.PASS, Verdict.IMPROVED})
#: Exit statuses of pytest after which every test that was selected has run.
_COMPLETE = frozenset({0, 1})


def run(path: Path) -> int:
    """Return 1 if a figure has regressed, 0 if every one is fine, else 125; and say why.

    What cannot be read is undecided: a commit that does not build writes no run file.
    """
    try:
        run_file = read_run(path)
    except LemError as error:
        complain(f"skip: {error}")
        return SKIP
    comparisons = last_attempts(run_file.comparisons)
    bad = [c for c in comparisons if c.verdict == Verdict.REGRESSED]
    if bad:
        _each("bad", [f"{c.case}: {c.message}" for c in bad])
        return BAD
    if doubts := list(_doubts(run_file, comparisons)):
        _each("skip", doubts)
        return SKIP
    count = len(comparisons)
    say(f"good: {count} figure{'' if count == 1 else 's'} compared, none regressed")
    return GOOD


def _doubts(run_file: RunFile, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield why a run without a regression still shows nothing."""
    status = run_file.run.exit_status
    if status not in _COMPLETE:
        yield "the run did not finish" if status is None else f"pytest ended with status {status}"
    if not comparisons:
        yield "nothing was compared; give --lem-baseline or --lem-ab to pytest"
    for c in comparisons:
        if c.verdict not in _FINE:
            why = "; ".join(map(text_of, c.reasons)) if c.verdict == Verdict.PROVISIONAL else ""
            yield f"{c.case}: {c.verdict}: {c.message}" + (f" ({why})" if why else "")
    judged = {c.digest for c in comparisons if c.verdict not in _FINE}
    last: dict[tuple[str, int | None], int] = {}
    for record in run_file.records:
        place = (record.nodeid, record.cycle)
        last[place] = max(record.attempt, last.get(place, 0))
    for record in run_file.records:
        is_last = record.attempt == last[record.nodeid, record.cycle]
        if record.status == "failed" and is_last and record.case.digest not in judged:
            yield f"{record.case.key}: {record.failure_kind}: {record.message}"


def _each(word: str, sentences: Sequence[str]) -> None:
    for sentence in dict.fromkeys(sentences):
        say(f"{word}: {sentence}")
