"""The summary of a run in a terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Reason
from pytest_lem.reports.overview import overview

HOSTILE = "t::f[[red]a|b[/red]-:smile:]"


@pytest.fixture
def lines():
    """Return a function that draws a summary and gives the words of its lines."""

    def draw(summary, width=200):
        text = overview(summary, width=width, is_colored=False)
        return [re.split(r"  +", line.strip()) for line in text.splitlines()]

    return draw


def test_a_case_has_a_row_with_its_figures(summarise, lines, call, cycles):
    """Scaled, with half of the interval where there is one."""
    _, heads, row, *_ = lines(summarise(*cycles(call, 8.0, 8.8, 9.6)))
    assert heads == ["case", "J/call", "J/unit", "s/call", "power"]
    assert row == [
        "test_it.py::test_sort",
        "2.20 J ±9 %",
        "1.10 J ±9 %",
        "500 ms ±0 %",
        "4.40 W ±9 %",
    ]


def test_without_cycles_there_is_no_interval_to_show(summarise, lines, call):
    """And the note says how to get one."""
    _, _, row, note, *_ = lines(summarise(call()))
    assert row[1:] == ["2.00 J", "1.00 J", "500 ms", "4.00 W"]
    assert note[0].startswith("too few cycles to know how 4 of 4 figures scatter")


def test_models_and_callables_have_tables_of_their_own(summarise, lines, model, call):
    """Their figures have next to nothing in common."""
    found = lines(summarise(model(), call(), model(batch_size=4)))
    heads = [line for line in found if line[0] == "case"]
    assert heads[0] == ["case", "J/token", "token/s", "TTFT", "TPOT", "power", "host memory"]
    assert heads[1] == ["case", "J/call", "J/unit", "s/call", "power"]
    assert sum(line[0].startswith("infer/") for line in found) == 2


def test_groups_share_one_table(summarise, lines, model, call):
    """A figure that a group does not have is a dash, and so is a value."""
    found = lines(summarise(model(), model(batch_size=4), call(), fields=("batch_size", "kind")))
    assert found[1][:3] == ["batch_size", "kind", "J/token"]
    assert found[2][:3] == ["2", "infer", "1.00 J"]
    assert found[4][:3] == ["-", "call", "-"]


def test_an_estimate_is_marked(summarise, lines, call):
    """Its energy and power, and not its time."""
    _, _, row, *_ = lines(summarise(call(tier=Tier.ESTIMATED, unit=None)))
    assert row[1:] == ["~2.00 J", "500 ms", "~4.00 W"]


def test_what_is_not_to_be_trusted_is_marked(summarise, lines, call):
    """As in the table of the run itself."""
    _, _, row, *_ = lines(summarise(call(reasons=(Reason.COUNTER_STILL,))))
    assert row[0] == "! test_it.py::test_sort"


def test_a_failed_case_is_red(summarise, call):
    """A terminal shows it at once."""
    summary = summarise(call("a", failure=(FailureKind.TEST, "broken")), call("b"))
    text = overview(summary, width=120, is_colored=True)
    assert re.search(r"\x1b\[31m✗ a\b", text)
    assert not re.search(r"\x1b\[31mb\b", text)


def test_what_failed_or_got_worse_is_marked_without_colour(summarise, lines, call, gate_of):
    """In its row already, before the verdicts; what passed, or got better, is not."""
    a, b, c = call("a", failure=(FailureKind.TEST, "broken")), call("b"), call("c")
    summary = summarise(a, b, c)
    summary.compare(gate_of((b, "regressed"), (c, "improved")))
    assert [line[0] for line in lines(summary)[2:5]] == ["✗ a", "✗ b", "c"]


def test_traffic_has_joules_and_rate_of_good_requests(summarise, lines, model):
    """The curve that it is measured for; where nothing says what is good, they have no column."""
    summary = summarise(model())
    assert not {"J/good request", "good/s"} & set(lines(summary)[1])
    figures = summary.rows[0].figures
    for name, value in (("energy_per_good_request_j", 2.0), ("goodput_req_s", 47.25)):
        figures[name] = replace(figures[name], value=value, reason=None)
    _, heads, row, *_ = lines(summary)
    assert heads[:4] == ["case", "J/token", "J/good request", "good/s"]
    assert row[2:4] == ["2.00 J", "47.2"]


def test_a_very_narrow_terminal_has_lines_instead_of_rows(summarise, call):
    """Nothing is cut, whatever somebody chose to see."""
    summary = summarise(call("test_module.py::test_with_a_name_of_some_length"))
    summary.chosen = ["energy_per_call_j", "power_mean_w", "unit_throughput_per_s"]
    text = overview(summary, width=36, is_colored=False)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 36
    start = lines.index("  J/call  2.00 J")
    assert lines[start + 1 : start + 3] == ["  power   4.00 W", "  unit/s  4.00"]


def test_a_narrow_terminal_gives_up_figures_and_never_the_energy(summarise, lines, model):
    """What is dispensable goes first, and no line is longer than the terminal."""
    heads = next(line for line in lines(summarise(model()), width=70) if line[0] == "case")
    assert heads == ["case", "J/token", "token/s", "TTFT"]
    text = overview(summarise(model()), width=70, is_colored=False)
    assert max(map(len, text.splitlines())) <= 70


def test_ids_are_shown_to_the_letter(summarise, lines, call, gate_of):
    """Whatever markup they resemble, with verdicts and without."""
    record = call(HOSTILE)
    summary = summarise(record)
    summary.compare(gate_of((record, "regressed")))
    found = lines(summary)
    assert found[2][0] == f"✗ {HOSTILE}"
    (row,) = [line for line in found if line[0] == "REGRESSED"]
    assert row[1] == HOSTILE


def test_verdicts_follow_with_a_row_for_each(summarise, lines, call, gate_of):
    """What passed has its change shown too."""
    a, b = call("a"), call("b")
    summary = summarise(a, b)
    summary.compare(gate_of((a, "pass"), (b, "regressed")))
    found = lines(summary)
    start = found.index(["gate: baseline main (3 sessions), energy_per_call_j:1"])
    assert found[start - 1] == [""]
    assert found[start + 1][0].startswith("2 figures of 2 cases against main: 1 regressed, 1 pass")
    change = ["J/call", "+25.0 % [+12.5, +37.5]", "6.2 %", "3"]
    assert found[start + 3 : start + 5] == [["REGRESSED", "b", *change], ["PASS", "a", *change]]
