"""Derived figures: cost and emissions, worked out of measured energy and the settings `cost`.

They are kept apart from the metrics and are never gated. Tier and uncertainty are those of the
energy; what a setting is off by is not in them. Anybody can work them out again, with other
settings, from a stored run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from pytest_lem.config.cost import CostSettings
from pytest_lem.results.definitions import Definition
from pytest_lem.results.record import Metric, Record

#: What all of them are worked out of.
SOURCE = "energy_per_output_token_j"
_JOULES_PER_KWH = 3_600_000.0
_FACILITY = "facility_energy_per_output_token_j"
_EMISSIONS = "emissions_per_1000_output_tokens_gco2e"
_COST = "cost_per_million_output_tokens"

DERIVED: dict[str, Definition] = {
    _FACILITY: Definition(
        "J/token", "lower", "ratio_of_sums", "energy_per_output_token_j x cost.pue"
    ),
    _EMISSIONS: Definition(
        "gCO2e",
        "lower",
        "ratio_of_sums",
        "energy_per_output_token_j x 1000 / 3.6e6 x cost.grid_gco2e_per_kwh, x cost.pue where it "
        "is set",
    ),
    _COST: Definition(
        "cost.currency",
        "lower",
        "ratio_of_sums",
        "energy_per_output_token_j x 1e6 / 3.6e6 x cost.price_per_kwh, x cost.pue where it is set",
    ),
}


def derived_of(metrics: Mapping[str, Metric], cost: CostSettings) -> dict[str, Metric]:
    """Return the derived figures of a case; those that have no value carry the reason."""
    return {name: _derived(name, metrics[SOURCE], cost) for name in DERIVED}


def derived_names(cost: CostSettings) -> list[str]:
    """Return the figures for which all settings are there."""
    return [name for name in DERIVED if factor_of(name, cost) is not None]


def factor_of(name: str, cost: CostSettings) -> float | None:
    """Return what joules per output token are multiplied with; None where a setting is missing."""
    overhead = 1.0 if cost.pue is None else cost.pue
    if name == _FACILITY:
        return cost.pue
    if name == _EMISSIONS:
        grams = cost.grid_gco2e_per_kwh
        return None if grams is None else 1e3 / _JOULES_PER_KWH * grams * overhead
    price = cost.price_per_kwh
    return None if price is None else 1e6 / _JOULES_PER_KWH * price * overhead


def unit_of(name: str, cost: CostSettings) -> str:
    """Return the unit of a figure."""
    return cost.currency if name == _COST else DERIVED[name].unit


def basis_of(cost: CostSettings) -> str | None:
    """Return a sentence on what the figures rest on; None where there are none."""
    if not derived_names(cost):
        return None
    parts = []
    if cost.grid_gco2e_per_kwh is not None:
        parts.append(f"{cost.grid_gco2e_per_kwh:g} gCO2e per kWh")
    if cost.price_per_kwh is not None:
        parts.append(f"{cost.price_per_kwh:g} {cost.currency} per kWh")
    parts.append(
        "without what the facility adds, since cost.pue is not set"
        if cost.pue is None
        else f"PUE {cost.pue:g}"
    )
    return f"derived from the energy per output token, not measured: {', '.join(parts)}"


def cost_in(plain: Any) -> CostSettings:
    """Return the settings as they are stored; what is not valid counts as not set."""
    try:
        return CostSettings.model_validate(plain)
    except ValidationError:
        return CostSettings()


def derive_again(record: Record, cost: CostSettings) -> None:
    """Work the figures of a record out with other settings, and write these into it."""
    record.requested = {**record.requested, "cost": cost.model_dump(mode="json")}
    record.derived = derived_of(record.metrics, cost)


def shared_cost(all_requested: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the settings of all cases of a run; None where there are none, or they differ."""
    found = [cost_in(requested.get("cost")) for requested in all_requested]
    if not found or any(other != found[0] for other in found) or not derived_names(found[0]):
        return None
    return found[0].model_dump(mode="json")


def _derived(name: str, energy: Metric, cost: CostSettings) -> Metric:
    definition, factor = DERIVED[name], factor_of(name, cost)
    if factor is None:
        return _with_unit(definition.null(f"{_SETTINGS[name]} is not set"), name, cost)
    if energy.value is None:
        reason = energy.reason or "the energy per output token is not known"
        return _with_unit(definition.null(reason), name, cost)
    found = definition.of(
        energy.value * factor,
        n=energy.n,
        u=None if energy.u is None else energy.u * factor,
        tier=energy.tier,
        domains=energy.domains,
    )
    return _with_unit(found, name, cost)


def _with_unit(metric: Metric, name: str, cost: CostSettings) -> Metric:
    return metric.model_copy(update={"unit": unit_of(name, cost)})


#: The setting that each needs.
_SETTINGS = {
    _FACILITY: "cost.pue",
    _EMISSIONS: "cost.grid_gco2e_per_kwh",
    _COST: "cost.price_per_kwh",
}
