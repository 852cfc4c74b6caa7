"""Cost and emissions, worked out of measured energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.config.cost import CostSettings
from pytest_lem.results.build import Context
from pytest_lem.results.definitions import GATEABLE, METRICS
from pytest_lem.results.derived import (
    DERIVED,
    basis_of,
    cost_in,
    derive_again,
    derived_names,
    derived_of,
    shared_cost,
)
from pytest_lem.results.record import Metric, Record

Make = Callable[..., Any]
FACILITY, EMISSIONS, COST = DERIVED
#: 3.6 J a token is a kWh for a million of them.
ENERGY = Metric(
    value=3.6, u=0.36, unit="J/token", direction="lower", statistic="ratio_of_sums", n=5,
    tier="estimated", domains=["estimate"],
)  # fmt: skip
ALL = {"grid_gco2e_per_kwh": 350.0, "price_per_kwh": 0.25, "currency": "USD", "pue": 1.2}


def _derived(**settings: Any) -> dict[str, Metric]:
    return derived_of({"energy_per_output_token_j": ENERGY}, CostSettings(**settings))


def _record(infer_record: Make, cost: Any) -> Record:
    found: Record = infer_record(context=Context(nodeid="t", requested={"cost": cost}))
    return found


@pytest.mark.parametrize(
    ("settings", "name", "value", "unit"),
    [
        ({"grid_gco2e_per_kwh": 350}, EMISSIONS, 0.35, "gCO2e"),
        ({"grid_gco2e_per_kwh": 350, "pue": 1.2}, EMISSIONS, 0.42, "gCO2e"),
        ({"grid_gco2e_per_kwh": 0}, EMISSIONS, 0.0, "gCO2e"),
        ({"price_per_kwh": 0.25}, COST, 0.25, "EUR"),
        ({"price_per_kwh": 0.25, "pue": 2, "currency": "USD"}, COST, 0.5, "USD"),
        ({"pue": 1.5}, FACILITY, 5.4, "J/token"),
    ],
)
def test_figures_by_hand(settings: Any, name: str, value: float, unit: str) -> None:
    """A million tokens at 3.6 J each are a kWh, a thousand of them a thousandth of it."""
    metric = _derived(**settings)[name]
    assert (metric.value, metric.unit) == (pytest.approx(value), unit)


def test_tier_and_uncertainty_are_those_of_the_energy() -> None:
    """A tenth stays a tenth, and an estimate an estimate."""
    for metric in _derived(**ALL).values():
        assert metric.value is not None
        assert metric.u == pytest.approx(metric.value / 10)
        assert (metric.tier, metric.domains, metric.n) == ("estimated", ["estimate"], 5)


def test_an_uncertainty_that_is_unknown_stays_so() -> None:
    """It is not taken for none."""
    energy = ENERGY.model_copy(update={"u": None})
    found = derived_of({"energy_per_output_token_j": energy}, CostSettings(**ALL))
    assert [metric.u for metric in found.values()] == [None] * 3


def test_a_setting_that_is_missing_is_the_reason() -> None:
    """Each figure names its own; nothing is assumed for it."""
    assert {name: (m.value, m.reason) for name, m in _derived().items()} == {
        FACILITY: (None, "cost.pue is not set"),
        EMISSIONS: (None, "cost.grid_gco2e_per_kwh is not set"),
        COST: (None, "cost.price_per_kwh is not set"),
    }


def test_energy_that_is_unknown_is_the_reason() -> None:
    """The reason is that of the energy."""
    nothing = METRICS["energy_per_output_token_j"].null("no meter covers this work")
    found = derived_of({"energy_per_output_token_j": nothing}, CostSettings(**ALL))
    assert {(m.value, m.reason) for m in found.values()} == {(None, "no meter covers this work")}


def test_none_of_them_is_a_metric_or_can_be_gated() -> None:
    """They stand apart."""
    assert set(DERIVED).isdisjoint({*METRICS, *GATEABLE})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, None),
        ({"currency": "USD"}, None),
        ({"price_per_kwh": 0.25}, ("0.25 EUR per kWh, without what the facility adds, since "
                                  "cost.pue is not set")),
        (ALL, "350 gCO2e per kWh, 0.25 USD per kWh, PUE 1.2"),
    ],
)  # fmt: skip
def test_what_they_rest_on_is_said(settings: Any, sentence: str | None) -> None:
    """What the facility adds is not passed over."""
    start = "derived from the energy per output token, not measured: "
    assert basis_of(CostSettings(**settings)) == (sentence and start + sentence)


def test_a_record_has_them_beside_its_metrics(infer_record: Make) -> None:
    """12 J over 9 tokens, at the settings that were in force."""
    record = _record(infer_record, ALL)
    assert record.derived[COST].value == pytest.approx(12 / 9 / 3.6 * 0.25 * 1.2)
    assert record.derived[EMISSIONS].tier == "counter"
    assert Record.model_validate(record.plain()).derived == record.derived


def test_a_record_without_settings_has_reasons(infer_record: Make) -> None:
    """As of an older release, or of none."""
    record = infer_record()
    assert {m.value for m in record.derived.values()} == {None}


def test_other_settings_give_what_they_would_have_given(infer_record: Make) -> None:
    """A stored record is worked out again, and says with what."""
    first = _record(infer_record, {"pue": 3.0})
    derive_again(first, CostSettings(**ALL))
    other = _record(infer_record, ALL)
    assert (first.derived, first.requested) == (other.derived, other.requested)


def test_what_is_stored_and_not_valid_counts_as_not_set() -> None:
    """A file that was edited by hand derives nothing."""
    assert cost_in({"pue": "much"}) == cost_in(None) == cost_in([1]) == CostSettings()
    assert cost_in(ALL) == CostSettings(**ALL)


def test_a_run_has_settings_where_its_cases_agree() -> None:
    """With different ones there is none for the whole run."""
    assert shared_cost([{"cost": ALL}, {"cost": ALL}]) == ALL
    assert shared_cost([{"cost": ALL}, {"cost": {"pue": 1.0}}]) is None
    assert shared_cost([{"cost": {"currency": "USD"}}]) is None
    assert shared_cost([]) is None
    assert derived_names(CostSettings(pue=1.1)) == [FACILITY]
