"""Figures as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.reports.figures import duration, energy, plain, rate, scaled
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.record import Metric

deterministic = settings(derandomize=True, deadline=None, max_examples=200)

FACTORS = {"G": 1e9, "M": 1e6, "k": 1e3, "": 1.0, "m": 1e-3, "µ": 1e-6, "n": 1e-9}


def _metric(value: float | None, **fields: object) -> Metric:
    return METRICS["energy_per_call_j"].of(value, n=3, **fields)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 J"),
        (1.0, "1.00 J"),
        (12.345, "12.3 J"),
        (999.4, "999 J"),
        (999.6, "1.00 kJ"),
        (9.996, "10.0 J"),
        (0.0123, "12.3 mJ"),
        (0.0009996, "1.00 mJ"),
        (4.56e-6, "4.56 µJ"),
        (7e-9, "7.00 nJ"),
        (2.5e9, "2.50 GJ"),
        (-0.5, "-500 mJ"),
    ],
)
def test_a_value_has_three_digits_and_a_prefix(value: float, text: str) -> None:
    """Digits are those of the rounded value, so that 999.6 is a kilo and not a thousand."""
    assert scaled(value, "J") == text


@deterministic
@given(st.floats(1e-9, 9e11))
def test_what_is_read_back_is_the_value_to_three_digits(value: float) -> None:
    """A number between 1 and 1000 with three digits, off by half of the last at most."""
    number, prefix = re.fullmatch(r"([\d.]+) (.?)J", scaled(value, "J")).groups()
    assert len(number.replace(".", "")) == 3
    assert float(number) * FACTORS[prefix] == pytest.approx(value, rel=0.00501)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"value": 0.612, "u": 0.5, "tier": "counter"}, "612 mJ ±82 %"),
        ({"value": 0.612, "u": 0.5, "tier": "estimated"}, "~612 mJ ±82 %"),
        ({"value": 2.0, "u": 0.01, "tier": "counter"}, "2.00 J ±0.5 %"),
        ({"value": 2.0, "tier": "counter"}, "2.00 J ±?"),
        ({"value": None, "tier": None}, "-"),
    ],
    ids=["counter", "estimate", "fine", "unsure", "unknown"],
)
def test_energy_has_its_mark_and_relative_uncertainty(fields: dict[str, object], text: str) -> None:
    """An estimate is never printed without its sign, an unknown uncertainty never left out."""
    assert energy(_metric(**fields), "J") == text


def test_unknown_figures_are_a_dash() -> None:
    """What is not known is not 0."""
    assert (plain(_metric(None), "s"), rate(_metric(None))) == ("-", "-")


def test_rates_and_plain_figures() -> None:
    """A rate leaves its unit to the column, and large ones keep all digits before the point."""
    assert (rate(_metric(23.14)), rate(_metric(4321.0)), rate(_metric(0.5))) == (
        "23.1", "4321", "0.500",
    )  # fmt: skip
    assert plain(_metric(0.25), "s") == "250 ms"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (130, "2 min 10 s"),
        (3599.6, "1 h 0 min"),
        (3900, "1 h 5 min"),
    ],
)
def test_time_spans_are_in_words(seconds: float, text: str) -> None:
    """Whole seconds below an hour, whole minutes above."""
    assert duration(seconds) == text
