"""Metrics of measurements made by hand, against figures worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, sqrt
from typing import Any

import pytest

from pytest_lem.backends.protocol import Score
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Measurement
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.metrics import metrics_of, null_metrics
from pytest_lem.results.record import Metric

Make = Callable[..., Any]
NO_COUNT = "this kind of case does not count that"


@pytest.fixture
def infer(measured: Make) -> dict[str, Metric]:
    """Return the metrics of 12 J, 3 s, 9 output tokens, 20 input tokens, 4 requests."""
    return metrics_of(measured())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy_per_output_token_j", 12 / 9),
        ("energy_per_total_token_j", 12 / 29),
        ("energy_per_request_j", 12 / 4),
        ("power_mean_w", 12 / 3),
        ("output_throughput_tok_s", 9 / 3),
        ("total_throughput_tok_s", 29 / 3),
        ("request_throughput_req_s", 4 / 3),
        ("ttft_s", 0.4),  # 0.5 0.5 0.3 0.3
        ("tpot_s", 0.2),  # 0.3 0.2 0.1, none for the request of one token
        ("itl_s", 0.2),  # 0.2 0.4 0.2 0.1 0.1
        ("e2e_latency_s", 0.6),  # 1.1 0.7 0.5 0.3
        ("edp_request_js", 3 * 0.65),
        ("edp_run_js", 12 * 3),
        ("batch_occupancy", 1.0),
    ],
)
def test_figures_of_a_model(infer: dict[str, Metric], name: str, value: float) -> None:
    """Everything is pooled over the rounds first and divided last."""
    assert infer[name].value == pytest.approx(value)
    assert infer[name].reason is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy_per_call_j", 12 / 6),
        ("energy_per_unit_j", 12 / 24),
        ("unit_throughput_per_s", 24 / 3),
        ("call_duration_s", 3 / 6),
        ("power_mean_w", 12 / 3),
    ],
)
def test_figures_of_a_callable(called: Make, name: str, value: float) -> None:
    """Calls and stated units are what a callable's energy is divided by."""
    assert metrics_of(called())[name].value == pytest.approx(value)


def test_uncertainty_is_scatter_and_gain_expanded(infer: dict[str, Metric]) -> None:
    """The scatter of the rounds (8/27) outweighs the windows' own 0.5 J / 9; the gain adds up."""
    metric = infer["energy_per_output_token_j"]
    assert metric.u == pytest.approx(2 * sqrt((8 / 27) ** 2 + (1.2 / 9) ** 2))
    assert (metric.n, metric.tier, metric.domains) == (2, "counter", ["dram", "package"])


def test_uncertainty_of_even_rounds_is_that_of_their_windows(measured: Make) -> None:
    """Rounds that happen to agree are not more certain than each window: 0.5 J / 9."""
    found = measured()
    found.rounds[1] = replace(
        found.rounds[1], energies=[replace(e, value_j=3.2) for e in found.rounds[1].energies]
    )
    assert metrics_of(found)["energy_per_output_token_j"].u == pytest.approx(
        2 * sqrt((0.5 / 9) ** 2 + (1.2 / 9) ** 2)
    )


def test_uncertainty_of_a_single_round_is_that_of_its_window(measured: Make) -> None:
    """One round has no scatter, and still its window has an uncertainty."""
    found = measured()
    del found.rounds[1]
    assert metrics_of(found)["energy_per_output_token_j"].u == pytest.approx(
        2 * sqrt((0.5 / 5) ** 2 + (0.8 / 5) ** 2)
    )


@pytest.mark.parametrize("part", ["u_random_j", "u_systematic_j"])
def test_a_source_without_uncertainty_leaves_it_unknown(measured: Make, part: str) -> None:
    """Half an uncertainty is not stated as the whole."""
    found = measured()
    energies = found.rounds[0].energies
    energies[0] = replace(energies[0], **{part: None})
    metric = metrics_of(found)["energy_per_output_token_j"]
    assert (metric.value, metric.u) == (pytest.approx(12 / 9), None)


def test_products_have_the_uncertainty_of_their_energy(infer: dict[str, Metric]) -> None:
    """Delays are taken as known, so that relative uncertainties are equal."""
    for product, energy in (
        ("edp_request_js", "energy_per_request_j"),
        ("edp_run_js", "power_mean_w"),
    ):
        one, other = infer[product], infer[energy]
        assert one.u / one.value == pytest.approx(other.u / other.value)
        assert (one.tier, one.domains) == (other.tier, other.domains)


def test_rates_have_the_scatter_of_their_rounds(infer: dict[str, Metric]) -> None:
    """5 tokens in 2 s and 4 in 1 s, and no energy in it."""
    metric = infer["output_throughput_tok_s"]
    assert metric.u == pytest.approx(2 * sqrt((1.0 + 1.0) / 2) / 1.5)
    assert (metric.tier, metric.domains) == (None, None)


def test_latencies_have_percentiles_over_pooled_requests(infer: dict[str, Metric]) -> None:
    """The headline is the median, and n counts requests, or gaps for the ITL."""
    e2e, itl = infer["e2e_latency_s"], infer["itl_s"]
    assert (e2e.p50, e2e.n, itl.n, infer["tpot_s"].n) == (e2e.value, 4, 5, 3)
    assert (e2e.p90, e2e.p99) == (pytest.approx(0.98), pytest.approx(1.088))
    assert (e2e.anchor, infer["ttft_s"].anchor, itl.anchor) == ("dispatched", "dispatched", None)


def test_without_streaming_only_the_whole_latency_is_known(measured: Make) -> None:
    """The times of tokens are null with a reason; E2E is when the engine gave the request back."""
    found = measured()
    for r in found.rounds:
        for request in r.requests:
            request["token_times_s"] = []
    metrics = metrics_of(found)
    for name in ("ttft_s", "tpot_s", "itl_s"):
        assert (metrics[name].value, metrics[name].n) == (None, 0)
        assert metrics[name].reason == "needs streaming and, but for TTFT, more than one token"
    assert metrics["e2e_latency_s"].value == pytest.approx(0.6)


def test_energy_per_input_token_needs_windows_without_decode(infer: dict[str, Metric]) -> None:
    """Decode in the windows would be charged to the prompt."""
    metric = infer["energy_per_input_token_j"]
    assert metric.value is None
    assert metric.reason == (
        "decode was in the windows too; measure with workload.output_tokens: 1"
    )


def test_a_prefill_has_energy_per_input_token(measured: Make, request_of: Make) -> None:
    """Requests of one token are prefills: 12 J over 20 prompt tokens."""
    found = measured()
    found.rounds = [
        replace(
            r,
            requests=[request_of(r.start_s, 5, r.start_s + 0.5)] * 2,
            work=replace(r.work, input_tokens=10, output_tokens=2),
        )
        for r in found.rounds
    ]
    assert metrics_of(found)["energy_per_input_token_j"].value == pytest.approx(12 / 20)


def test_batches_that_were_not_full_show_in_the_occupancy(measured: Make) -> None:
    """Two batches of two requests, where the engine took up to four, are half full."""
    assert metrics_of(measured(applied={"batch_size": 4}))["batch_occupancy"].value == 0.5


@pytest.mark.parametrize("kind", ["measured", "called"])
def test_every_metric_is_there_and_a_null_says_why(
    request: pytest.FixtureRequest, kind: str
) -> None:
    """All names of the definitions, in their order and units; nothing is 0 for want of a value."""
    metrics = metrics_of(request.getfixturevalue(kind)())
    assert list(metrics) == list(METRICS)
    for name, metric in metrics.items():
        assert (metric.unit, metric.direction) == (METRICS[name].unit, METRICS[name].direction)
        assert metric.value != 0
        assert (metric.value is None) == bool(metric.reason)
        assert metric.value is not None or (metric.u, metric.tier, metric.n) == (None, None, 0)


def test_a_case_that_was_not_measured_has_all_metrics_as_nulls() -> None:
    """The reason of the failure stands at each of them."""
    metrics = null_metrics("it crashed")
    assert list(metrics) == list(METRICS)
    assert {(m.value, m.reason) for m in metrics.values()} == {(None, "it crashed")}


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("called", "energy_per_output_token_j", NO_COUNT),
        ("called", "energy_per_input_token_j", NO_COUNT),
        ("called", "output_throughput_tok_s", NO_COUNT),
        ("called", "ttft_s", "this kind of case has no requests"),
        (
            "called",
            "batch_occupancy",
            "the engine does not tell, or this kind of case has no batches",
        ),
        ("measured", "energy_per_call_j", NO_COUNT),
        ("measured", "call_duration_s", NO_COUNT),
        ("measured", "peak_device_memory_bytes", "not known for this kind of case or device"),
    ],
)
def test_what_a_kind_does_not_have_is_null(
    request: pytest.FixtureRequest, kind: str, name: str, reason: str
) -> None:
    """A figure without meaning for a kind of case says so."""
    metric = metrics_of(request.getfixturevalue(kind)())[name]
    assert (metric.value, metric.reason) == (None, reason)


def test_units_are_unknown_unless_the_test_states_them(called: Make) -> None:
    """Energy per call needs no statement, energy per unit does."""
    metrics = metrics_of(called(units=False))
    assert (metrics["energy_per_unit_j"].value, metrics["energy_per_unit_j"].reason) == (
        None,
        "no `work` was stated for it",
    )
    assert metrics["energy_per_call_j"].value == pytest.approx(2.0)


def test_no_output_gives_no_energy_per_token(measured: Make) -> None:
    """Nothing is divided by 0 tokens."""
    found = measured()
    found.rounds = [replace(r, work=replace(r.work, output_tokens=0)) for r in found.rounds]
    assert metrics_of(found)["energy_per_output_token_j"].value is None


def test_memory_is_the_peak_over_all_rounds(measured: Make) -> None:
    """Host and device are two figures."""
    metrics = metrics_of(measured(peak_host_memory_bytes=500, peak_device_memory_bytes=900))
    assert metrics["peak_host_memory_bytes"].value == 500
    assert metrics["peak_device_memory_bytes"].value == 900


GPU_APPLIED = {"device": "cuda:0", "device_uuids": ["GPU-a"], "batch_size": 2}


def _energies(measured: Make, *energies: Energy, **fields: Any) -> dict[str, Metric]:
    found: Measurement = measured(energies=(list(energies), list(energies)), **fields)
    return metrics_of(found)


def test_a_gpus_work_is_the_gpus_energy(measured: Make, energy_of: Make) -> None:
    """The package's energy is beside it in the rounds, and not in the figure."""
    parts = (energy_of(Domain.GPU, 90.0), energy_of(Domain.PACKAGE, 50.0))
    metric = _energies(measured, *parts, applied=GPU_APPLIED)["energy_per_output_token_j"]
    assert (metric.value, metric.domains) == (pytest.approx(180 / 9), ["gpu"])


def test_a_gpus_work_without_a_sensor_is_never_the_estimate(
    measured: Make, energy_of: Make
) -> None:
    """CPU time says nothing about a GPU: null with the reason, in every figure with energy."""
    metrics = _energies(measured, energy_of(Domain.ESTIMATE, 5.0), applied=GPU_APPLIED)
    for name in ("energy_per_output_token_j", "power_mean_w", "edp_request_js", "edp_run_js"):
        assert (metrics[name].value, metrics[name].tier) == (None, None)
        assert metrics[name].reason == "no sensor of the GPU could be read"
    assert metrics["output_throughput_tok_s"].value == pytest.approx(3)


def test_an_estimate_is_marked_as_one(measured: Make, energy_of: Make) -> None:
    """The tier travels with the figure."""
    metric = _energies(measured, energy_of(Domain.ESTIMATE, 4.5))["energy_per_output_token_j"]
    assert (metric.value, metric.tier) == (pytest.approx(1.0), "estimated")


def test_an_estimate_is_not_added_to_what_was_measured(measured: Make, energy_of: Make) -> None:
    """Where a package counter was read, the estimate stays out of the sum."""
    parts = (energy_of(Domain.PACKAGE, 9.0), energy_of(Domain.ESTIMATE, 4.5))
    metric = _energies(measured, *parts)["energy_per_output_token_j"]
    assert (metric.value, metric.tier) == (pytest.approx(2.0), "counter")


def test_the_total_is_what_was_drawn_and_does_not_scatter(infer: dict[str, Metric]) -> None:
    """12 J of two domains over both rounds: edges and gain limit it, differing rounds do not."""
    metric = infer["energy_total_j"]
    assert (metric.value, metric.n, metric.tier) == (12.0, 2, "counter")
    assert metric.u == pytest.approx(2 * sqrt(0.3**2 + 0.4**2 + 1.2**2))


def test_the_total_of_a_gpus_work_has_the_packages_in_it(measured: Make, energy_of: Make) -> None:
    """The main figure is the GPU's alone, and the host's share stands in the total."""
    parts = (
        energy_of(Domain.GPU, 90.0),
        energy_of(Domain.PACKAGE, 50.0),
        energy_of(Domain.ESTIMATE, 1.0),
    )
    metrics = _energies(measured, *parts, applied=GPU_APPLIED)
    assert metrics["energy_total_j"].value == 280.0
    assert metrics["energy_total_j"].domains == ["gpu", "package"]
    assert metrics["energy_per_request_j"].value == pytest.approx(180 / 4)


def test_the_total_is_of_the_worst_measured_tier(measured: Make, energy_of: Make) -> None:
    """Sampled power is measured too, and makes no counter of the sum."""
    sampled = replace(energy_of(Domain.DRAM, 1.0), tier=Tier.POWER)
    metric = _energies(measured, energy_of(Domain.PACKAGE, 5.0), sampled)["energy_total_j"]
    assert (metric.value, metric.tier) == (12.0, "power")


@pytest.mark.parametrize("part", ["u_random_j", "u_systematic_j"])
def test_the_total_with_a_source_of_unknown_uncertainty(measured: Make, part: str) -> None:
    """The joules are known, how well is not."""
    found = measured()
    energies = found.rounds[0].energies
    energies[1] = replace(energies[1], **{part: None})
    metric = metrics_of(found)["energy_total_j"]
    assert (metric.value, metric.u) == (12.0, None)


def test_one_silent_window_makes_the_sum_unknown(measured: Make, energy_of: Make) -> None:
    """A part that is missing is not 0: the whole figure is null, with the meter's reason."""
    found = measured(
        energies=(
            [energy_of(Domain.PACKAGE, 5.0)],
            [energy_of(Domain.PACKAGE, None, reason="it slept")],
        )
    )
    metric = metrics_of(found)["energy_per_output_token_j"]
    assert (metric.value, metric.reason) == (None, "it slept")


def test_without_any_meter_energy_is_unknown(measured: Make) -> None:
    """Time and tokens are still figures."""
    metrics = _energies(measured)
    assert metrics["energy_per_request_j"].reason == "no meter covers this work"
    assert metrics["request_throughput_req_s"].value == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("score", "value", "reason"),
    [
        (Score(20.0, 10), exp(2.0), None),
        (Score(1e9, 10), exp(500.0), None),
        (Score(None, 10), None, "this backend does not tell how likely its model finds a text"),
        (None, None, "not asked for (quality.perplexity)"),
    ],
)
def test_perplexity_is_of_the_tokens_of_a_text(
    measured: Make, score: Score | None, value: float | None, reason: str | None
) -> None:
    """Unknown is null with the reason, and what is as good as infinite can still be stored."""
    found = metrics_of(measured(score=score))["perplexity"]
    assert (found.value, found.reason) == (value if value is None else pytest.approx(value), reason)
    assert found.n == (score.tokens if score and value else 0)
