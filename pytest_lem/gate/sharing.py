"""How much of a session's deviation its repetition shares.

What is flagged is measured again in the same job. Were the two independent, an unchanged figure
would hardly ever be flagged twice; as far as they share what makes a session differ from others
(the board's temperature, the driver's mood), the second says what the first said. Sessions that
measured a case several times (`--lem-cycles`) tell which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

from pytest_lem.gate.baseline import Baseline
from pytest_lem.gate.variance import variances


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
            groups = [p.field("measurements").get(metric, []) for p in past]
            if parts := variances([[log(x) for x in g if x > 0] for g in groups]):
                between, within = between + parts.between, within + parts.within
                figures += 1
    total = between + within
    return Sharing(between / total, figures) if total > 0 else None
