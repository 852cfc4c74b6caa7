"""Which rows come first, and which columns a table has."""

from __future__ import annotations

import pytest

from pytest_lem.errors import LemError
from pytest_lem.reports.choice import choose_columns, sort_rows
from pytest_lem.reports.markdown import markdown
from pytest_lem.reports.overview import overview


@pytest.fixture
def summary(summarise, model):
    """Make a summary of three sizes of batch, one of them without energy."""
    sizes = {2: 8.0, 8: 4.0, 4: None}
    return summarise(*(model(batch_size=size, joules=j) for size, j in sizes.items()))


def sizes(summary):
    """Return the sizes of the batches in the order of the rows."""
    return [row.entries[0].settings["batch_size"] for row in summary.rows]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("energy_per_output_token_j", [8, 2, 4]),
        ("energy_per_output_token_j:desc", [2, 8, 4]),
        ("batch_size", [2, 4, 8]),
        ("batch_size:desc", [8, 4, 2]),
        ("workload.name", [2, 8, 4]),
    ],
)
def test_rows_are_put_in_order(summary, order, expected):
    """By a figure or a field; what is not known is last either way."""
    sort_rows(summary, order, "--sort")
    assert sizes(summary) == expected


def test_groups_are_put_in_order_too(summarise, model):
    """By a figure, or by a field of theirs."""
    records = [model(batch_size=2, joules=8.0), model(batch_size=4, joules=4.0)]
    summary = summarise(*records, fields=("batch_size",))
    sort_rows(summary, "energy_per_output_token_j", "--sort")
    assert [row.labels["batch_size"] for row in summary.rows] == [4, 2]
    with pytest.raises(LemError, match="the groups have no figure and no field 'model'"):
        sort_rows(summary, "model", "--sort")


def test_a_table_has_the_columns_that_were_chosen(summary):
    """In their order, also one that no table has by itself; fields stand beside the names."""
    rows = summary.rows
    names = ["energy_per_request_j", "batch_size", "mfu"]
    chosen = choose_columns(summary, names, "--columns")
    assert (summary.rows, summary.chosen, list(rows[0].labels)) == (rows, None, ["case"])
    head, *rows = [line.split() for line in overview(chosen, width=200, is_colored=False)
                   .splitlines()[1:5]]  # fmt: skip
    assert head == ["case", "batch_size", "J/request", "MFU"]
    assert rows[0][1:] == ["2", "4.00", "J", "-"]
    assert rows[2][1:] == ["4", "-", "-"]
    table = [line for line in markdown(chosen).splitlines() if line.startswith("|")]
    assert table[0] == "| case | batch_size | J/request | MFU |"


def test_a_narrow_terminal_keeps_what_was_chosen(summary):
    """Somebody wants to see just that."""
    chosen = choose_columns(summary, ["power_mean_w"], "--columns")
    assert "power" in overview(chosen, width=20, is_colored=False)


@pytest.mark.parametrize("choose", [sort_rows, lambda s, n, o: choose_columns(s, [n], o)])
def test_a_name_that_nothing_has_is_refused(summary, choose):
    """With one that is near."""
    with pytest.raises(LemError) as caught:
        choose(summary, "energy_per_output_tokn_j", "--sort")
    assert str(caught.value) == (
        "--sort: the cases have no figure and no field 'energy_per_output_tokn_j'; "
        "did you mean `energy_per_output_token_j`?"
    )


def test_an_order_that_is_none_is_refused(summary):
    """It says how to write it."""
    with pytest.raises(LemError, match="write NAME or NAME:desc"):
        sort_rows(summary, "mfu:down", "--sort")
