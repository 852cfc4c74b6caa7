"""How much of a session's deviation its repetition shares.

What is flagged is measured again in the same job. Were the two independent, an unchanged figure
would hardly ever be flagged twice; as far as they share what makes a session differ from others
(the board's temperature, the driver's mood), the second says what the first said. Sessions that
measured a case several times (`--lem-cycles`) tell which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum, log
from typing import NamedTuple

from pytest_lem.gate.baseline import Baseline

#: Sessions and measurements in each that are the least to tell the two scatters apart.
_FEWEST = 2


class Sharing(NamedTuple):
    """The share of the scatter that belongs to the session, 0 to 1, and what it rests on."""

    share: float
    figures: int


def sharing(baseline: Baseline, metrics: Sequence[str]) -> Sharing | None:
    """Return the share over all cases and metrics; None where nothing was measured repeatedly."""
    between = within = 0.0
    figures = 0
    for past in baseline.cases.values():
        for metric in metrics:
            groups = [p.entry.measurements.get(metric, []) for p in past]
            if parts := _variances([[log(x) for x in g if x > 0] for g in groups]):
                between, within, figures = between + parts[0], within + parts[1], figures + 1
    total = between + within
    return Sharing(between / total, figures) if total > 0 else None


def _variances(groups: Iterable[Sequence[float]]) -> tuple[float, float] | None:
    """Return the variance between groups and within them, by the analysis of variance.

    Groups of unequal size count by their effective size (Searle, Linear Models, 11.4).
    """
    known = [group for group in groups if len(group) >= _FEWEST]
    if len(known) < _FEWEST:
        return None
    sizes = [len(group) for group in known]
    count = sum(sizes)
    means = [fsum(group) / len(group) for group in known]
    grand = fsum(fsum(group) for group in known) / count
    apart = fsum(n * (mean - grand) ** 2 for n, mean in zip(sizes, means, strict=True))
    inside = fsum((x - m) ** 2 for group, m in zip(known, means, strict=True) for x in group)
    within = inside / (count - len(known))
    size = (count - fsum(n * n for n in sizes) / count) / (len(known) - 1)
    between = max(0.0, (apart / (len(known) - 1) - within) / size)
    return between, within
