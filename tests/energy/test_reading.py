"""Which energies make the main figure."""

from __future__ import annotations

import pytest

from pytest_lem.energy.reading import TIERS, Domain, Energy, Tier, headline


def _energy(domain: Domain, value_j: float | None = 1.0) -> Energy:
    tier = Tier.ESTIMATED if domain is Domain.ESTIMATE else Tier.COUNTER
    return Energy(domain=domain, device=f"{domain}-0", tier=tier, value_j=value_j)


GPU, PACKAGE, DRAM, ESTIMATE = (_energy(domain) for domain in Domain)


@pytest.mark.parametrize(
    ("energies", "on_gpu", "chosen"),
    [
        ([GPU, PACKAGE, DRAM], True, [GPU]),
        ([GPU, GPU, PACKAGE], True, [GPU, GPU]),
        ([PACKAGE, ESTIMATE], True, []),
        ([PACKAGE, DRAM, ESTIMATE], False, [PACKAGE, DRAM]),
        ([GPU, ESTIMATE], False, [ESTIMATE]),
        ([GPU], False, []),
        ([], False, []),
    ],
    ids=["gpu", "gpus", "gpu-unread", "cpu", "cpu-estimate", "cpu-unread", "nothing"],
)
def test_the_main_figure_is_that_of_the_device_that_did_the_work(
    energies: list[Energy], on_gpu: bool, chosen: list[Energy]
) -> None:
    """A GPU's work is never judged by the CPU, nor the other way round, nor are tiers mixed."""
    assert headline(energies, on_gpu=on_gpu) == chosen


def test_a_silent_counter_is_not_replaced_by_the_estimate() -> None:
    """Where a counter exists but gave nothing, the figure is unknown and not another's."""
    silent = _energy(Domain.PACKAGE, None)
    assert headline([silent, ESTIMATE], on_gpu=False) == [silent]


def test_tiers_are_ordered_from_best_to_worst() -> None:
    """Every tier has its place in the order."""
    assert list(TIERS) == ["counter", "power", "estimated", "none"]
    assert set(TIERS) == set(Tier)
