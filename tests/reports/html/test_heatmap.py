"""Batch size by precision."""

import pytest

from pytest_lem.reports.html.heatmap import heatmaps


@pytest.fixture
def case(model, view):
    """Return a function that makes a case of a precision and batch size."""

    def make(precision, batch_size, joules):
        record = model(batch_size=batch_size)
        record.case.settings.precision = precision
        name = "energy_per_output_token_j"
        record.metrics[name] = record.metrics[name].model_copy(update={"value": joules})
        return view(record)

    return make


def test_both_have_to_vary(case):
    """A single row or column says no more than the table."""
    assert heatmaps([case("a", 1, 4.0), case("a", 2, 3.0)]) == []
    assert heatmaps([case("a", 1, 4.0), case("b", 1, 3.0)]) == []


def test_what_was_not_measured_stays_empty(case):
    """A combination without a figure is shown as unknown, never as nothing used."""
    (chart,) = heatmaps([case("a", 1, 4.0), case("a", 8, 1.0), case("b", 1, 2.0)])
    (drawn,) = chart.data
    assert (drawn["x"], drawn["y"]) == (["1", "8"], ["a", "b"])
    assert drawn["z"] == [[4.0, 1.0], [2.0, None]]
    assert drawn["text"] == [["4.00 J", "1.00 J"], ["2.00 J", "—"]]
    assert "3 of 4 combinations were measured" in chart.words


def test_cycles_share_a_cell(case):
    """Several measurements of a combination are their mean."""
    cases = [case("a", 1, 4.0), case("a", 1, 2.0), case("a", 8, 1.0), case("b", 1, 2.0)]
    assert heatmaps(cases)[0].data[0]["z"][0] == [3.0, 1.0]
