"""Rounds pooled: sums first, divided last, with an uncertainty that keeps what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pytest

from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Work
from pytest_lem.results.pool import Pool, known_counts

Make = Callable[..., Any]


def _calls(r: Any) -> float | None:
    return r.work.calls


def _metric(*rounds: Any) -> Any:
    return Pool(rounds, on_gpu=True).energy_over("energy_per_call_j", _calls)


def test_sums_come_first(window: Make) -> None:
    """10 J for one call and 10 J for nine are 2 J a call, and no mean of 10 and 1.1."""
    metric = _metric(window(1.0, 10.0, Work(calls=1)), window(1.0, 10.0, Work(calls=9)))
    assert (metric.value, metric.n) == (2.0, 2)


def test_repetition_lessens_the_random_part_alone(window: Make) -> None:
    """A hundred equal windows know ten times better where they end, and no better what gain is."""
    one, many = (
        Pool([window(5.0, 100.0, u_random_j=3.0, u_systematic_j=2.0)] * n, on_gpu=True).share(
            [1.0] * n
        )
        for n in (1, 100)
    )
    assert (one.u_random_j, one.u_systematic_j) == (3.0, 2.0)
    assert (many.u_random_j, many.u_systematic_j) == (pytest.approx(0.3), pytest.approx(2.0))


def test_scatter_counts_where_it_is_more_than_the_edges_hide(window: Make) -> None:
    """90 and 110 J a call have a standard error of 10 J, whatever each window claims."""
    rounds = [window(5.0, value_j, u_random_j=1.0) for value_j in (90.0, 110.0)]
    assert _metric(*rounds).u == pytest.approx(2 * 10.0)
    rough = [replace(r, energies=[replace(r.energies[0], u_random_j=40.0)]) for r in rounds]
    assert _metric(*rough).u == pytest.approx(2 * 40.0 / sqrt(2))


def test_gain_is_a_part_of_whatever_is_made_of_the_joules(window: Make) -> None:
    """3 % of 200 J are 3 % of a difference, of either sign, and of a power."""
    pool = Pool([window(5.0, 100.0, u_systematic_j=3.0)] * 2, on_gpu=True)
    for figure in (50.0, -50.0):
        assert pool.u_systematic(figure) == pytest.approx(1.5)
    assert Pool([window(5.0, 100.0, u_systematic_j=None)], on_gpu=True).u_systematic(1.0) is None


def test_the_stated_interval_holds_the_truth(window: Make) -> None:
    """Of 600 sessions with edges and a gain that err as they claim, 95 % state the truth."""
    rng = Random(11)
    hits, errors_j, stated_j = 0, [], []
    for _ in range(600):
        gain = 1 + rng.gauss(0, 0.02)
        rounds = [
            window(5.0, j, u_random_j=9.0, u_systematic_j=0.02 * j)
            for j in (gain * rng.gauss(400.0, 9.0) for _ in range(8))
        ]
        metric = _metric(*rounds)
        errors_j.append(metric.value - 400.0)
        stated_j.append(metric.u)
        hits += abs(errors_j[-1]) <= metric.u
    assert hits / 600 >= 0.93
    # The larger of scatter and edges is a little too large on the average, and never less.
    assert 0.95 < fmean(stated_j) / (2 * pstdev(errors_j)) < 1.15


def _energy(domain: Domain, tier: Tier, value_j: float | None = 1.0, **fields: Any) -> Energy:
    return Energy(domain=domain, device=f"{domain}-0", tier=tier, value_j=value_j, **fields)


@pytest.mark.parametrize(
    ("on_gpu", "energies", "reason"),
    [
        (True, [_energy(Domain.PACKAGE, Tier.COUNTER)], "no sensor of the GPU could be read"),
        (False, [_energy(Domain.GPU, Tier.COUNTER)], "no meter covers this work"),
        (False, [_energy(Domain.PACKAGE, Tier.COUNTER, None)], "a meter gave no value"),
        (False, [_energy(Domain.PACKAGE, Tier.COUNTER, None, reason="it slept")], "it slept"),
        (False, [_energy(Domain.PACKAGE, Tier.COUNTER)], None),
    ],
)
def test_unknown_energy_has_a_reason(
    window: Make, on_gpu: bool, energies: list[Energy], reason: str | None
) -> None:
    """One round without the energy of the work is enough to make the sum unknown."""
    good = _energy(Domain.GPU if on_gpu else Domain.PACKAGE, Tier.COUNTER)
    rounds = [replace(window(1.0, 1.0), energies=found) for found in ([good], energies)]
    pool = Pool(rounds, on_gpu=on_gpu)
    metric = pool.energy_over("energy_per_call_j", _calls)
    assert (pool.reason, metric.reason, metric.value is None) == (reason, reason, bool(reason))


def test_no_round_is_no_energy() -> None:
    """A case that ended before its first round says so, and has the tier of nothing."""
    pool = Pool([], on_gpu=True)
    assert (pool.reason, pool.tier, pool.domains) == ("no round was completed", "none", [])


def test_a_figure_is_as_good_as_its_worst_source(window: Make) -> None:
    """Sampled power beside a counter makes no counter of the sum."""
    parts = [_energy(Domain.PACKAGE, Tier.COUNTER), _energy(Domain.DRAM, Tier.POWER)]
    assert Pool([replace(window(1.0, 1.0), energies=parts)], on_gpu=False).tier == "power"


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        ([4, 2], [4, 2]),
        ([0, 2], [0, 2]),
        ([4, None], None),
        ([0, 0], None),
        ([], None),
    ],
)
def test_there_has_to_be_something_to_divide_by(counts: Any, known: Any) -> None:
    """An unknown count makes the sum of the counts unknown, and 0 divides nothing."""
    assert known_counts(counts) == known
