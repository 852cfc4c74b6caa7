"""What the page says of a comparison."""

import json

import pytest

from pytest_lem.gate.verdict import Verdict
from pytest_lem.reports.html.verdicts import comparison, verdict


def test_a_comparison_has_its_interval_verdict_and_reasons(page, call, gate_of):
    """All that a decision rests on is in the table, what matters first."""
    good, bad = call("t::good"), call("t::bad")
    gate = gate_of((good, "pass"), (bad, "regressed"), unmeasured=["t::gone"])
    gate.comparisons[1].attribution = {"power_pct": 12.5, "speed_pct": -1.0}
    gate.comparisons[1].message = "it is worse"
    root = page(good, bad, gate=gate)
    section = root.one("section", aria_labelledby="gate-title")
    text = section.text
    assert "baseline main (3 sessions), energy_per_call_j:1: 1 regressed, 1 pass." in text
    assert "Only the baseline has: t::gone." in text
    loud, quiet = section.every("table")
    assert [c.text for c in loud.one("tbody").one("tr").children] == [
        "▼ regressed",
        "t::badit is worse",
        "J/call",
        "+25.0 % [+12.5, +37.5]",
        "+12.5 %, -1.0 %",
        "6.2 %",
        "3 sessions",
    ]
    assert "✓ pass" in quiet.text
    assert "scatter_assumed: with fewer than 8 sessions" in text


def test_the_chart_has_a_sign_for_each_verdict(page, call, gate_of):
    """Colour is never the only difference, and intervals are drawn from the ratio on."""
    good, bad = call("t::good"), call("t::bad")
    root = page(good, bad, gate=gate_of((good, "pass"), (bad, "regressed")))
    chart = next(f for f in root.every("figure") if "95 %" in f.one("figcaption").text)
    worse, fine = json.loads(chart.one("script").raw)["data"]
    assert (worse["name"], worse["x"], worse["y"]) == ("regressed", [25.0], ["t::bad, J/call"])
    assert worse["error_x"]["array"] == worse["error_x"]["arrayminus"] == [12.5]
    assert worse["marker"]["symbol"] != fine["marker"]["symbol"]


def test_a_comparison_without_figures_is_no_chart(call, gate_of, read):
    """What could not be compared stands in the table, with what differs."""
    gate = gate_of((call(), "incomparable"))
    gate.comparisons[0].ratio = gate.comparisons[0].interval = None
    gate.comparisons[0].differences = ["driver: 1 -> 2"]
    root = read(comparison(gate))
    assert root.every("figure") == []
    assert "differs: driver: 1 -> 2" in root.text
    assert "—" in root.text


@pytest.mark.parametrize("word", list(Verdict))
def test_every_verdict_has_a_sign(word):
    """No verdict is only a colour."""
    assert verdict(word).endswith(f" {word}</span>")
