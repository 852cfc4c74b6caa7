"""A page of several runs."""

import json

from pytest_lem.energy.reading import Tier
from pytest_lem.results.record import Comparability

RUNS = ["20260102T030405-abcdef", "20260103T030405-abcdef"]


def test_a_single_run_has_no_such_section(page, call):
    """Nothing to hold it against."""
    assert page(call()).every("section", aria_labelledby="runs-title") == []


def test_each_run_has_its_facts_and_each_row_its_run(several, call):
    """The same case is a row of each run, and leads to a part of its own."""
    root = several([call("t::a")], [call("t::a"), call("t::b")])
    assert [section.one("h2").text for section in root.one("header").every("section")] == [
        f"Run {run}" for run in RUNS
    ]
    (table,) = root.every("table", class_="cases")
    cells = [[c.text for c in r.children][:2] for r in table.one("tbody").every("tr")]
    assert cells == [["t::a", RUNS[0]], ["t::a", RUNS[1]], ["t::b", RUNS[1]]]
    ids = [d.attributes["id"] for d in root.every("details", class_="case")]
    assert ids == ["case-1", "case-2", "case-3"]
    assert root.one("details", id="case-2").every("summary")[0].text == f"t::a, run {RUNS[1]}"


def test_ids_of_a_page_are_told_apart(several, call, model):
    """Links and labels of sections would lead to the first of two."""
    root = several([call(), model(), model(batch_size=4)], [call(), model(), model(batch_size=4)])
    ids = [i for tag in ("h2", "details", "section") for n in root.every(tag)
           if (i := n.attributes.get("id"))]  # fmt: skip
    assert len(ids) == len(set(ids))


def test_a_case_stands_in_one_row_with_each_run_beside(several, call):
    """What a run does not have is said, and what it does not know is a dash."""
    root = several(
        [call("t::a", joules=8.0), call("t::b", joules=None), call("t::c")],
        [call("t::a", joules=4.0), call("t::b", joules=4.0)],
    )
    section = root.one("section", aria_labelledby="runs-title")
    rows = [[c.text for c in r.children] for r in section.one("table").one("tbody").every("tr")]
    assert rows == [
        ["t::a", "J/call", "2.00 J", "1.00 J"],
        ["t::b", "J/call", "— unknown: the sensor slept", "1.00 J"],
    ]
    assert "2 of 3 cases are in more than one run" in section.text
    (chart,) = section.every("figure")
    (trace,) = json.loads(chart.one("script").raw)["data"]
    assert (trace["x"], trace["y"]) == (RUNS, [2.0, 1.0])
    assert "2.00 J in the first of 2 runs, 1.00 J in the last" in chart.text


def test_an_estimate_has_a_line_of_its_own(several, call):
    """It is never joined to a measurement by a line; alone it is no line at all."""
    estimate = call("t::a", tier=Tier.ESTIMATED)
    root = several([call("t::a")], [estimate])
    section = root.one("section", aria_labelledby="runs-title")
    assert section.every("figure") == []
    assert section.every("td")[-1].text.startswith("~")
    root = several([call("t::a")], [estimate], [call("t::a")], [estimate])
    (chart,) = root.one("section", aria_labelledby="runs-title").every("figure")
    data = json.loads(chart.one("script").raw)["data"]
    assert [(t["name"], len(t["x"])) for t in data] == [("counter", 2), ("estimated", 2)]


def test_what_is_not_comparable_is_told(several, call):
    """In the row, and below the chart."""
    records = [call("t::a"), call("t::a")]
    for number, record in enumerate(records):
        facts = {"cpu.model": f"CPU {number}"}
        record.comparability = Comparability(refuse=facts, warn={}, hash=str(number))
    root = several(*([record] for record in records))
    section = root.one("section", aria_labelledby="runs-title")
    assert section.text.count("not comparable: cpu.model differ") == 2


def test_charts_are_of_one_run_each(several, model):
    """A front over machines that differ would be a comparison that nobody made."""
    night = [model(), model(batch_size=4, output_tokens=8)]
    root = several(night, night)
    section = root.one("section", aria_labelledby="trade-title")
    titles = [chart.one("figcaption").text for chart in section.every("figure")]
    assert titles == [f"Energy against throughput (measured), {run}" for run in RUNS]
