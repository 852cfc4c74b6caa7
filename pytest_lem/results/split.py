"""Prefill and decode apart: a run of the prefill alone, subtracted from the whole."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.measure.offline import PREFILL
from pytest_lem.measure.round import Phase, Round, Work
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.pool import Pool, known_counts
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import expanded

_NAMES = ("prefill_energy_j", "decode_energy_j")


def split_metrics(pool: Pool, phases: Sequence[Phase]) -> dict[str, Metric]:
    """Return the energy of a request up to its first token, and after it."""
    if any(r.work.due_requests is not None for r in pool.rounds):
        reason = "in traffic, prefill and decode of different requests run together"
        return {name: METRICS[name].null(reason) for name in _NAMES}
    if not pool.requests:
        reason = "this kind of case has no requests"
        return {name: METRICS[name].null(reason) for name in _NAMES}
    prefill = Pool(
        [_as_round(n, phase) for n, phase in enumerate(phases) if phase.name == PREFILL],
        on_gpu=pool.on_gpu,
    )
    if not prefill.rounds:
        reason = "prefill was not measured by itself; set measure.split (not for servers)"
        return {name: METRICS[name].null(reason) for name in _NAMES}
    first = prefill.energy_over("prefill_energy_j", _requests)
    return dict(zip(_NAMES, (first, _decode(pool, prefill)), strict=True))


def _requests(r: Round) -> float | None:
    return r.work.requests


def _decode(pool: Pool, prefill: Pool) -> Metric:
    """Return what is left of a request's energy; refused where it cannot be told from nothing."""
    definition = METRICS["decode_energy_j"]
    if reason := pool.reason or prefill.reason:
        return definition.null(reason)
    counts = known_counts([_requests(r) for r in pool.rounds])
    prefill_counts = known_counts([_requests(r) for r in prefill.rounds])
    if counts is None or prefill_counts is None:
        return definition.null("the requests were not counted")
    whole, first = pool.share(counts), prefill.share(prefill_counts)
    value_j = whole.value_j - first.value_j
    u_j = expanded(whole.u_random_j, first.u_random_j, pool.u_systematic(value_j))
    if u_j is None or value_j <= u_j:
        return definition.null("decode cannot be told from the uncertainty of the subtraction")
    return definition.of(value_j, n=len(pool.rounds), u=u_j, tier=pool.tier, domains=pool.domains)


def _as_round(seq: int, phase: Phase) -> Round:
    return Round(
        seq=seq,
        start_s=phase.start_s,
        end_s=phase.end_s,
        energies=phase.energies,
        work=phase.work or Work(),
    )
