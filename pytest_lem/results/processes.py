"""How evenly several processes worked."""

from __future__ import annotations

from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import expanded, ratio, ratio_scatter


def wait_share(pool: Pool) -> Metric:
    """Return the share of the processes' time in which they were not at work on a batch."""
    definition = METRICS["process_wait_share"]
    rounds = [r for r in pool.rounds if r.processes]
    if not rounds:
        return definition.null("one process did the work, or the engine does not tell")
    there_s = [len(r.processes) * r.window_s for r in rounds]
    waited_s = [
        there - sum(process["busy_s"] for process in r.processes)
        for there, r in zip(there_s, rounds, strict=True)
    ]
    return definition.of(
        ratio(waited_s, there_s), n=len(rounds), u=expanded(ratio_scatter(waited_s, there_s))
    )
