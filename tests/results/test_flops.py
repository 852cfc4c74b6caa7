"""Arithmetic, against numbers worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import pytest

from pytest_lem.energy.reading import Domain
from pytest_lem.measure.round import Measurement
from pytest_lem.results.build import Context
from pytest_lem.results.definitions import GATEABLE, METRICS
from pytest_lem.results.flops import Arithmetic, count_flops
from pytest_lem.results.metrics import metrics_of
from pytest_lem.results.record import Metric

Make = Callable[..., Any]
#: SmolLM2-135M: 30 layers of 9 heads with 64 numbers; the embedding is the head as well.
SMOLLM2 = {
    "layers": 30, "heads": 9, "head_size": 64, "full_layers": 30, "window_layers": 0,
    "window": None, "body_parameters": 106_168_320, "head_parameters": 28_311_552,
}  # fmt: skip
LLAMA = {
    "layers": 16, "heads": 32, "head_size": 64, "full_layers": 16, "window_layers": 0,
    "window": None, "body_parameters": 973_078_528, "head_parameters": 262_668_288,
}  # fmt: skip
MIXTRAL = {
    "layers": 32, "heads": 32, "head_size": 128, "full_layers": 32, "window_layers": 0,
    "window": None, "body_parameters": 12_617_515_008, "head_parameters": 131_072_000,
}  # fmt: skip
#: Figures that can be counted in the head: 100 parameters in layers, 10 in the head.
TINY = {
    "layers": 2, "heads": 1, "head_size": 1, "full_layers": 2, "window_layers": 0,
    "window": None, "body_parameters": 100, "head_parameters": 10,
}  # fmt: skip
NAMES = (
    "flops_per_token", "flop_throughput_per_s", "mfu", "energy_per_flop_j",
    "energy_per_output_token_and_parameter_j",
)  # fmt: skip
BOARDS = {"GPU-a": {"name": "NVIDIA H200"}}


def _metrics(found: Measurement) -> dict[str, Metric]:
    count_flops(found)
    return metrics_of(found, BOARDS)


def _with(measured: Make, structure: dict[str, Any], **applied: Any) -> Measurement:
    found: Measurement = measured()
    found.applied |= {"structure": structure, **applied}
    return found


@pytest.mark.parametrize(
    ("structure", "per_token"),
    [
        (SMOLLM2, 2 * 134_479_872 + 69_120 * 612),
        (LLAMA, 2 * 1_235_746_816 + 131_072 * 612),
        (MIXTRAL, 2 * 12_748_587_008 + 524_288 * 612),
    ],
)
def test_a_token_takes_its_matrices_twice_and_attention(
    structure: dict[str, Any], per_token: float
) -> None:
    """At a mean context of 612: a prompt of 512 tokens, and half of an output of 200."""
    assert Arithmetic(structure).output(512, 200) / 200 == pytest.approx(per_token)


def test_a_request_is_its_prompt_and_its_answer() -> None:
    """Ten tokens of prompt and three of four of the output go through the layers of SmolLM2."""
    arithmetic = Arithmetic(SMOLLM2)
    assert arithmetic.prompt(10) == 2 * 106_168_320 * 10 + 69_120 * 50
    assert arithmetic.answer(10, 4) == (
        2 * (106_168_320 * 3 + 28_311_552 * 4) + 69_120 * (13**2 - 10**2) / 2
    )
    assert arithmetic.answer(10, 1) == 2 * 28_311_552


def test_what_came_from_a_cache_was_not_computed() -> None:
    """The rest of the prompt still looks at it; all of it cached takes nothing."""
    arithmetic = Arithmetic(TINY)
    assert arithmetic.prompt(10, 6) == 2 * 100 * 4 + 8 * (10**2 - 6**2) / 2
    assert arithmetic.prompt(10, 10) == 0


@pytest.mark.parametrize(
    ("given", "made", "seen"),
    [(2, 2, 8 - 2), (2, 6, (8 + 4 * 4) - 2), (10, 5, 4 * 5), (4, 1, 4)],
)
def test_a_window_ends_what_is_looked_at(given: int, made: int, seen: float) -> None:
    """Below four tokens it is like full attention, beyond it each token looks at four."""
    windowed = Arithmetic({**TINY, "full_layers": 0, "window_layers": 2, "window": 4})
    attention = windowed.output(given, made) - 2 * 110 * made
    assert attention == 4 * 2 * seen


def test_figures_of_rounds(measured: Make) -> None:
    """Prompts of 7, 3, 5, 5 with outputs of 3, 2, 3, 1 tokens in 3 s, for 12 J."""
    found = _with(measured, TINY)
    metrics = _metrics(found)
    lengths = [(7, 3), (3, 2), (5, 3), (5, 1)]
    through = [given + made - 1 for given, made in lengths]
    rounds = [
        sum(2 * (100 * n + 10 * made) + 8 * n**2 / 2 for n, (_, made) in part)
        for part in (
            list(zip(through[:2], lengths[:2], strict=True)),
            list(zip(through[2:], lengths[2:], strict=True)),
        )
    ]
    total = sum(rounds)
    assert [r.work.flops for r in found.rounds] == pytest.approx(rounds)
    assert metrics["flop_throughput_per_s"].value == pytest.approx(total / 3)
    assert metrics["energy_per_flop_j"].value == pytest.approx(12 / total)
    assert metrics["energy_per_output_token_and_parameter_j"].value == pytest.approx(12 / 9 / 110)
    per_token = sum(2 * 110 * o + 8 * ((p + o) ** 2 - p**2) / 2 for p, o in lengths) / 9
    assert metrics["flops_per_token"].value == pytest.approx(per_token)
    assert metrics["flops_per_token"].n == 4


def test_energy_figures_have_tier_domains_and_uncertainty(measured: Make) -> None:
    """That of the energy per token, as a share of the figure."""
    metrics = _metrics(_with(measured, TINY))
    one, other = metrics["energy_per_output_token_j"], metrics[NAMES[-1]]
    assert other.u / other.value == pytest.approx(one.u / one.value)
    assert (other.tier, other.domains) == (one.tier, one.domains)
    assert metrics["energy_per_flop_j"].tier == "counter"


def test_the_utilisation_is_the_rate_over_the_peak(measured: Make) -> None:
    """989.5 TFLOP/s of an H200 in bfloat16; its uncertainty is the scatter of the rounds."""
    found = _with(measured, SMOLLM2, device="cuda:0", device_uuids=["GPU-a"], precision="bfloat16")
    metrics = _metrics(found)
    rate, mfu = metrics["flop_throughput_per_s"], metrics["mfu"]
    assert mfu.value == pytest.approx(rate.value / 989.5e12)
    assert mfu.u == pytest.approx(rate.u / 989.5e12)
    first, second = (r.work.flops for r in found.rounds)
    mean = (first + second) / 3
    scatter = sqrt(((first - 2 * mean) ** 2 + (second - mean) ** 2) / 2) / 1.5
    assert rate.u == pytest.approx(2 * scatter)


def test_there_is_no_utilisation_on_a_cpu(measured: Make) -> None:
    """The rate is known all the same."""
    metrics = _metrics(_with(measured, SMOLLM2))
    assert (metrics["mfu"].value, metrics["mfu"].reason) == (None, "there is no peak for a CPU")
    assert metrics["flop_throughput_per_s"].value


def test_tokens_of_traffic_count_as_in_the_requests_that_were_due(measured: Make) -> None:
    """Half of the prompts and a third of the outputs came within the window."""
    whole, part = _with(measured, TINY), _with(measured, TINY)
    del whole.rounds[1], part.rounds[1]
    r = part.rounds[0]
    part.rounds[0] = replace(r, work=replace(r.work, input_tokens=15, output_tokens=10))
    count_flops(whole)
    count_flops(part)
    arithmetic = Arithmetic(TINY)
    prompts = arithmetic.prompt(7) + arithmetic.prompt(3)
    answers = arithmetic.answer(7, 3) + arithmetic.answer(3, 2)
    assert whole.rounds[0].work.flops == pytest.approx(prompts + answers)
    assert part.rounds[0].work.flops == pytest.approx(1.5 * prompts + 2 * answers)


def test_requests_that_failed_are_left_out(measured: Make) -> None:
    """They have no length, and are no reason to know nothing of the others."""
    found = _with(measured, TINY)
    requests = found.rounds[0].requests
    requests.append({**requests[0], "output_tokens": None, "error": "timed out"})
    assert _metrics(found)["flops_per_token"].n == 4


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        ({}, "this kind of case has no model whose arithmetic could be counted"),
        ({"reason": "it has an encoder"},
         "the shapes of the model are not known: it has an encoder"),
    ],
)  # fmt: skip
def test_without_shapes_there_is_a_reason(
    measured: Make, structure: dict[str, Any], reason: str
) -> None:
    """All of them are null, and none is 0."""
    metrics = _metrics(_with(measured, structure))
    assert {(metrics[name].value, metrics[name].reason) for name in NAMES} == {(None, reason)}


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens"])
def test_requests_of_unknown_length_leave_it_unknown(measured: Make, name: str) -> None:
    """A server may not tell how long a prompt was."""
    found = _with(measured, TINY)
    found.rounds[0].requests[0][name] = None
    metrics = _metrics(found)
    assert metrics["mfu"].reason == "it is not known how many tokens each request had"
    assert found.rounds[0].work.flops is None


def test_energy_that_is_unknown_leaves_the_arithmetic(measured: Make, energy_of: Make) -> None:
    """FLOPs are counted without a meter, and joules per FLOP are not."""
    part = [energy_of(Domain.GPU, None, reason="it slept")]
    found = measured(energies=(part, part))
    found.applied |= {"structure": TINY, "device": "cuda:0"}
    metrics = _metrics(found)
    assert metrics["flops_per_token"].value
    for name in NAMES[3:]:
        assert (metrics[name].value, metrics[name].reason) == (None, "it slept")


def test_a_record_has_the_flops_of_its_rounds(infer_record: Make) -> None:
    """What was counted is stored beside the tokens; none of the figures can be gated."""
    applied = {"device": "cuda:0", "device_uuids": ["GPU-a"], "precision": "bfloat16"}
    record = infer_record(
        applied={**applied, "batch_size": 2, "structure": SMOLLM2},
        context=Context(nodeid="t", devices=BOARDS),
    )
    total = sum(r.work.flops for r in record.rounds)
    assert record.metrics["mfu"].value == pytest.approx(total / 3 / 989.5e12)
    assert set(NAMES).isdisjoint(GATEABLE)
    assert all("FLOP" in METRICS[name].text or "param" in METRICS[name].text or name == "mfu"
               for name in NAMES)  # fmt: skip


def test_callables_have_none(called: Make) -> None:
    """What they compute is not known."""
    metrics = _metrics(called())
    assert {metrics[name].value for name in NAMES} == {None}


def test_a_measurement_can_be_counted_twice(measured: Make) -> None:
    """A record may be built again."""
    found = _with(measured, TINY)
    count_flops(found)
    once = [r.work.flops for r in found.rounds]
    count_flops(found)
    assert [r.work.flops for r in found.rounds] == once
