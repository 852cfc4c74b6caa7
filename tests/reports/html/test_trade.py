"""Energy against throughput."""

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.html.trade import trade_offs


@pytest.fixture
def case(model, view):
    """Return a function that makes a case of these joules per token and tokens per second."""

    def make(joules, rate, **fields):
        record = model(**fields)
        for name, value in (
            ("energy_per_output_token_j", joules),
            ("output_throughput_tok_s", rate),
        ):
            record.metrics[name] = record.metrics[name].model_copy(update={"value": value})
        return view(record)

    return make


def points(chart):
    """Return the points by the name of their trace."""
    return {t["name"]: list(zip(t["x"], t["y"], strict=True)) for t in chart.data}


def test_the_front_has_a_sign_of_its_own(case):
    """Diamonds are on the front, other signs are not, and a line joins the diamonds."""
    (chart,) = trade_offs([case(1.0, 10.0), case(2.0, 30.0), case(3.0, 20.0, backend="other")])
    assert points(chart) == {
        "Pareto front": [(10.0, 1.0), (30.0, 2.0)],
        "other": [(20.0, 3.0)],
        "transformers, on the front": [(10.0, 1.0), (30.0, 2.0)],
    }
    signs = {t["name"]: t["marker"]["symbol"] for t in chart.data if "marker" in t}
    assert signs["transformers, on the front"] == "diamond"
    assert signs["other"] != "diamond"
    assert chart.words.startswith("2 of 3 cases are on the Pareto front (diamonds)")


def test_estimates_stand_by_themselves(case):
    """An estimate neither beats a measurement nor is beaten by one."""
    guessed = [case(joules, 1.0, tier=Tier.ESTIMATED) for joules in (2.0, 3.0)]
    measured, estimated = trade_offs([case(1.0, 9.0), case(1.0, 8.0), *guessed])
    assert "(measured)" in measured.title
    assert "(estimated)" in estimated.title
    assert len(points(estimated)["Pareto front"]) == 1


def test_what_is_not_to_be_trusted_is_left_out(case, view, call):
    """Invalid and unknown figures have no place on it; without any there is no chart."""
    spoilt = case(0.1, 99.0)
    spoilt.record.validity = "invalid"
    assert trade_offs([spoilt, case(None, 5.0), view(call())]) == []


def test_far_values_are_drawn_by_their_powers(case):
    """A cheap case beside one that takes a hundred times as much can still be seen."""
    (near,) = trade_offs([case(1.0, 10.0), case(2.0, 20.0)])
    (far,) = trade_offs([case(1.0, 10.0), case(100.0, 20.0)])
    assert near.layout["yaxis"]["rangemode"] == "tozero"
    assert far.layout["yaxis"]["type"] == "log"
    assert far.layout["xaxis"]["rangemode"] == "tozero"
