"""The line of a case that is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.reports.progress import progress_line

Make = Callable[..., Any]


def test_a_callable_shows_energy_and_time_of_a_call(call: Make) -> None:
    """8 J and 2 s for 4 calls; the uncertainty is 10 %."""
    assert progress_line(call()) == "test_it.py::test_sort: 2.00 J/call ±10 %, 500 ms"


def test_a_model_shows_energy_per_token_and_throughput(model: Make) -> None:
    """8 J and 2 s for 8 tokens."""
    record = model()
    assert progress_line(record) == f"{record.case.key}: 1.00 J/token ±10 %, 4.00 token/s"


def test_an_estimate_is_marked(call: Make) -> None:
    """Also in passing, an estimate is not taken for a measurement."""
    assert "~2.00 J/call" in progress_line(call(tier=Tier.ESTIMATED))


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_failed_case_shows_its_kind(call: Make, is_measured: bool) -> None:
    """Figures from before a failure are not offered as results."""
    record = call(failure=(FailureKind.OOM, "out of memory"), is_measured=is_measured)
    assert progress_line(record) == "test_it.py::test_sort: failed (oom)"
