"""Prefill and decode apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from math import sqrt
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.energy.reading import Domain
from pytest_lem.measure.round import Phase, Round, Work
from pytest_lem.results.metrics import metrics_of
from pytest_lem.results.pool import Pool
from pytest_lem.results.split import split_metrics

Make = Callable[..., Any]
TWO = Work(requests=2)


def _prefill(energy_of: Make, *joules: float | None, u_j: float = 0.1) -> list[Phase]:
    """Return prefill windows of two requests each."""
    return [
        Phase(
            name="prefill",
            start_s=0.0,
            end_s=1.0,
            energies=[energy_of(Domain.PACKAGE, value_j, u_random_j=u_j, u_systematic_j=0.0)],
            work=Work(requests=2, output_tokens=2),
        )
        for value_j in joules
    ]


def test_decode_is_what_the_prefill_leaves(measured: Make, energy_of: Make) -> None:
    """A request takes 3 J as a whole and half a joule up to its first token."""
    metrics = metrics_of(measured(phases=_prefill(energy_of, 1.0, 1.0)))
    assert metrics["prefill_energy_j"].value == pytest.approx(0.5)
    assert metrics["decode_energy_j"].value == pytest.approx(2.5)
    assert metrics["decode_energy_j"].u > metrics["prefill_energy_j"].u


def test_windows_are_pooled_before_they_are_divided(measured: Make, energy_of: Make) -> None:
    """Sums first: a longer window weighs more."""
    phases = _prefill(energy_of, 1.0, 3.0)
    assert metrics_of(measured(phases=phases))["prefill_energy_j"].value == pytest.approx(1.0)


@pytest.mark.parametrize("joules", [5.9, 6.0, 9.0])
def test_a_decode_that_cannot_be_told_from_nothing_is_refused(
    measured: Make, energy_of: Make, joules: float
) -> None:
    """Its interval reaches 0, so there is no figure; the prefill has one all the same."""
    metrics = metrics_of(measured(phases=_prefill(energy_of, joules, joules)))
    assert metrics["prefill_energy_j"].value == pytest.approx(joules / 2)
    assert metrics["decode_energy_j"].value is None
    assert "uncertainty" in metrics["decode_energy_j"].reason


def test_the_uncertainty_of_the_difference_by_hand(window: Make, phase_of: Make) -> None:
    """Edges of both runs, 0.6 and 0.8 J a request, and 10 % of the 5 J between 8 and 3."""
    whole = window(2.0, 16.0, TWO, u_random_j=1.2, u_systematic_j=1.6)
    first = window(1.0, 6.0, TWO, u_random_j=1.6, u_systematic_j=0.6)
    decode = _split([whole], [phase_of("prefill", first)])["decode_energy_j"]
    assert decode.value == pytest.approx(5.0)
    assert decode.u == pytest.approx(2 * sqrt(0.6**2 + 0.8**2 + 0.5**2))
    assert (decode.n, decode.tier, decode.domains) == (1, "counter", ["gpu"])


def _session(window: Make, phase_of: Make, rng: Random, first_j: float) -> Any:
    """Return decode in a session whose edges and gain err as they claim; a request takes 40 J."""
    gain = 1 + rng.gauss(0, 0.05)

    def measured(true_j: float, u_j: float) -> Any:
        value_j = gain * rng.gauss(2 * true_j, u_j)
        return window(2.0, value_j, TWO, u_random_j=u_j, u_systematic_j=0.05 * value_j)

    whole = [measured(40.0, 2.0) for _ in range(8)]
    first = [phase_of("prefill", measured(first_j, 3.0)) for _ in range(8)]
    return _split(whole, first)["decode_energy_j"]


def test_the_stated_interval_holds_the_true_decode(window: Make, phase_of: Make) -> None:
    """Of 600 sessions 95 % state the truth; one gain is in both runs, so it is taken once."""
    rng = Random(17)
    found = [_session(window, phase_of, rng, 25.0) for _ in range(600)]
    errors_j = [metric.value - 15.0 for metric in found]
    hits = sum(abs(e) <= m.u for e, m in zip(errors_j, found, strict=True))
    assert hits / 600 >= 0.93
    assert 0.95 < fmean(m.u for m in found) / (2 * pstdev(errors_j)) < 1.15


def test_no_decode_is_seldom_taken_for_one(window: Make, phase_of: Make) -> None:
    """Where a request is all prefill, 2.5 % of the sessions may state a decode by chance."""
    rng = Random(19)
    found = [_session(window, phase_of, rng, 40.0) for _ in range(600)]
    stated = [metric for metric in found if metric.value is not None]
    assert len(stated) / 600 <= 0.04
    assert all(metric.value > metric.u for metric in stated)


@pytest.mark.parametrize("part", ["u_random_j", "u_systematic_j"])
def test_a_decode_of_unknown_uncertainty_is_refused(
    window: Make, phase_of: Make, part: str
) -> None:
    """Nobody can say that its interval leaves out 0. The prefill needs no such proof."""
    unsure = window(2.0, 16.0, TWO, **{part: None})
    metrics = _split([unsure], [phase_of("prefill", window(1.0, 1.0, TWO))])
    assert metrics["prefill_energy_j"].value == 0.5
    assert (metrics["decode_energy_j"].value, metrics["decode_energy_j"].u) == (None, None)


def test_uncounted_requests_leave_no_decode(window: Make, phase_of: Make) -> None:
    """A run of the prefill that lost its count divides nothing."""
    metrics = _split(
        [window(2.0, 16.0, TWO)], [phase_of("prefill", window(1.0, 1.0, Work(output_tokens=2)))]
    )
    assert metrics["decode_energy_j"].reason == "the requests were not counted"
    assert metrics["prefill_energy_j"].value is None


def test_a_callable_has_no_prefill(called: Make) -> None:
    """No setting would give it one, so none is advised."""
    metrics = metrics_of(called())
    for name in ("prefill_energy_j", "decode_energy_j"):
        assert (metrics[name].value, metrics[name].reason) == (
            None,
            "this kind of case has no requests",
        )


def _split(rounds: list[Round], phases: list[Phase]) -> Any:
    request = asdict(
        Request(
            input_tokens=3,
            token_ids=[1, 2],
            reported_tokens=2,
            sent_s=0.0,
            token_times_s=[0.5, 1.0],
            done_s=1.0,
            batch=1,
        )
    )
    asked = [replace(r, requests=[request] * r.work.requests) for r in rounds]
    return split_metrics(Pool(asked, on_gpu=True), phases)


def test_without_a_run_of_the_prefill_there_is_neither(measured: Make) -> None:
    """The reason says which setting to turn on."""
    metrics = metrics_of(measured())
    for name in ("prefill_energy_j", "decode_energy_j"):
        assert (metrics[name].value, "measure.split" in metrics[name].reason) == (None, True)


def test_an_unknown_prefill_leaves_no_decode(measured: Make, energy_of: Make) -> None:
    """A sensor that slept in one of the windows is no 0."""
    metrics = metrics_of(measured(phases=_prefill(energy_of, 1.0, None)))
    assert metrics["prefill_energy_j"].value is None
    assert metrics["decode_energy_j"].value is None
