"""The settings of cost: what is refused, in a sentence."""

from __future__ import annotations

import pytest

from pytest_lem.config.assignment import assign
from pytest_lem.config.cost import CostSettings
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import resolve
from pytest_lem.errors import LemError


def _resolved(*assignments: str) -> CostSettings:
    layers = Layers()
    for text in assignments:
        assign(layers, text, "--lem-set")
    return resolve(layers, default_preset="standard", options_of=lambda _: object).settings.cost


def test_nothing_is_assumed() -> None:
    """Without settings there is neither price, nor grid, nor facility; the currency is a name."""
    assert _resolved().model_dump() == {
        "grid_gco2e_per_kwh": None, "price_per_kwh": None, "currency": "EUR", "pue": None
    }  # fmt: skip


def test_what_is_typed_is_taken() -> None:
    """Whole numbers are numbers."""
    found = _resolved("cost.grid_gco2e_per_kwh=350", "cost.currency=USD", "cost.pue=1.2")
    assert (found.grid_gco2e_per_kwh, found.currency, found.pue) == (350.0, "USD", 1.2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cost.pue=0.9", ("--lem-set cost.pue: `cost.pue`: input should be greater than or equal "
                         "to 1, not 0.9")),
        ("cost.grid_gco2e_per_kwh=-1", ("--lem-set cost.grid_gco2e_per_kwh: "
         "`cost.grid_gco2e_per_kwh`: input should be greater than or equal to 0, not -1")),
        ("cost.price_per_kwh=.inf", ("--lem-set cost.price_per_kwh: `cost.price_per_kwh`: input "
                                    "should be a finite number, not inf")),
        ("cost.price_per_kwh=cheap", ("--lem-set cost.price_per_kwh: `cost.price_per_kwh`: input "
                                     "should be a valid number, not 'cheap'")),
        ("cost.currency=euro", ("--lem-set cost.currency: `cost.currency`: string should match "
                               "pattern '^[A-Z]{3}$', not 'euro'")),
        ("cost.prize_per_kwh=1", ("--lem-set cost.prize_per_kwh: unknown key `cost.prize_per_kwh`: "
                                 "did you mean `price_per_kwh`?")),
        ("cost.pue", "--lem-set: write a setting as path=value, not 'cost.pue'"),
        ("cost.pue=[", "--lem-set cost.pue: '[' is not a value in YAML"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_sentence(text: str, sentence: str) -> None:
    """With its place, its name and its value."""
    with pytest.raises(LemError) as caught:
        _resolved(text)
    assert str(caught.value) == sentence
