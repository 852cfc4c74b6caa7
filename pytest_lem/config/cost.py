"""The settings of cost and emissions: what a kilowatt-hour stands for."""

from __future__ import annotations

from pydantic import Field

from pytest_lem.config.section import Section


class CostSettings(Section):
    """What figures are derived from measured energy; without any of them, none are."""

    grid_gco2e_per_kwh: float | None = Field(
        None,
        ge=0,
        le=10_000,
        description="Emissions of the electricity, in grams of CO2 equivalent per kWh.",
        examples=[350.0],
    )
    price_per_kwh: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Price of the electricity per kWh, in `cost.currency`.",
        examples=[0.25],
    )
    currency: str = Field(
        "EUR",
        pattern="^[A-Z]{3}$",
        description="Currency of the price, by its three letters; it is shown and not converted.",
        examples=["USD"],
    )
    pue: float | None = Field(
        None,
        ge=1,
        le=10,
        description="Power usage effectiveness: energy of the whole facility over that of its "
        "machines. Null: unknown, so that figures leave out what the facility adds, and say so.",
        examples=[1.2],
    )
