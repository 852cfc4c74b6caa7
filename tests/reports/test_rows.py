"""Rows of a report: figures of cases, means of groups, and whether they are known well enough."""

from __future__ import annotations

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag, Reason
from pytest_lem.reports.rows import Sufficiency, row_of_case, row_of_group
from pytest_lem.results.session import entries_of

ENERGY, MEMORY = "energy_per_call_j", "peak_host_memory_bytes"


@pytest.fixture
def group():
    """Return a function that makes the row of a group from records."""
    return lambda *records: row_of_group({"kind": "call"}, entries_of(records))


def test_cycles_of_a_case_are_pooled(call, cycles):
    """8, 12 and 16 J for four calls each: three joules a call, between two and four."""
    (entry,) = entries_of(cycles(call, 8.0, 12.0, 16.0))
    estimate = row_of_case(entry).figures[ENERGY]
    assert (estimate.value, estimate.cases, estimate.cycles) == (3.0, 1, 3)
    assert estimate.interval == pytest.approx((2.0, 4.0))
    assert estimate.half_width == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("joules", "sufficiency"),
    [
        ((8.0, 8.0), Sufficiency.TOO_FEW_CYCLES),
        ((9.5, 10.0, 10.49), Sufficiency.SUFFICIENT),
        ((9.4, 10.0, 10.6), Sufficiency.WIDE),
    ],
)
def test_a_figure_is_sufficient_within_five_per_cent(call, cycles, joules, sufficiency):
    """Half of the interval counts; with two cycles nobody knows."""
    (entry,) = entries_of(cycles(call, *joules))
    assert row_of_case(entry).figures[ENERGY].sufficiency is sufficiency


def test_a_maximum_is_neither_judged_nor_given_an_interval(model, cycles):
    """The largest memory of some cycles says nothing of how it scatters."""
    (entry,) = entries_of(cycles(model, 8.0, 8.0, 8.0))
    estimate = row_of_case(entry).figures[MEMORY]
    assert estimate.value == 2**30
    assert (estimate.interval, estimate.sufficiency) == (None, None)


def test_what_is_unknown_says_why(call):
    """Null is never zero, and nothing is judged."""
    (entry,) = entries_of([call(joules=None)])
    estimate = row_of_case(entry).figures[ENERGY]
    assert (estimate.value, estimate.reason) == (None, "the sensor slept")
    assert (estimate.sufficiency, estimate.half_width) == (None, None)


def test_a_group_has_the_geometric_mean_of_its_cases(call, group):
    """2 and 8 J a call make 4; each case counts once, however many cycles it has."""
    many = [call("a", joules=8.0) for _ in range(3)]
    for number, record in enumerate(many, 1):
        record.cycle = number
    estimate = group(*many, call("b", joules=32.0)).figures[ENERGY]
    assert estimate.value == pytest.approx(4.0)
    assert (estimate.cases, estimate.cycles, estimate.interval) == (2, 1, None)


def test_a_group_has_an_interval_where_each_case_has_three_cycles(call, cycles, group):
    """It is over cycles: how cases differ from each other is no scatter."""
    records = [
        *cycles(call, 8.0, 8.0, 8.0, name="a"),
        *cycles(call, 32.0, 32.0, 32.0, name="b"),
    ]
    estimate = group(*records).figures[ENERGY]
    assert estimate.interval == pytest.approx((4.0, 4.0))
    assert estimate.sufficiency is Sufficiency.SUFFICIENT


def test_a_case_that_is_not_to_be_trusted_is_in_no_mean(call, group):
    """The rest of its group is; alone, it leaves nothing."""
    wrong = call("b", joules=800.0, reasons=(Reason.COUNTER_STILL,))
    row = group(call("a"), wrong)
    assert (row.figures[ENERGY].value, row.figures[ENERGY].cases) == (2.0, 1)
    assert not row.is_invalid
    alone = group(wrong)
    assert alone.figures[ENERGY].value is None
    assert alone.figures[ENERGY].reason == "none of the cases is to be trusted"
    assert alone.is_invalid


def test_a_case_without_the_figure_is_counted_as_missing(call, model, group):
    """Of those alike: that a language model has no calls is not missing."""
    estimate = group(call("a"), call("b", joules=None), model()).figures[ENERGY]
    assert (estimate.value, estimate.cases, estimate.missing) == (2.0, 1, 1)


@pytest.mark.parametrize(
    ("other", "kinds"),
    [
        ({"tier": Tier.ESTIMATED}, "counter, estimated"),
        ({"flags": (Flag.SIMULATED,)}, "counter, simulated"),
    ],
)
def test_energies_of_different_kinds_have_no_mean(call, group, other, kinds):
    """An estimate, or what is made up, is never mixed with what was measured; times are."""
    row = group(call("a"), call("b", **other))
    assert row.figures[ENERGY].value is None
    assert row.figures[ENERGY].reason == (
        f"the energies are of different kinds ({kinds}); group by tier too"
    )
    assert row.figures["call_duration_s"].value == 0.5
