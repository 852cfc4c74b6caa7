"""The page as a whole: its parts, what stands in them, and that nothing strange gets out."""

import json

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason

NASTY = "t::test[</script><script>alert(1)</script>\"'&\u202etxt]"
SHOWN = NASTY.replace("\u202e", "[U+202E]")


def headings(root):
    """Return the titles of the sections."""
    return [node.text for node in root.every("h2")]


def rows(root, caption):
    """Return the texts of the cells of a table of cases."""
    tables = root.every("table", class_="cases")
    table = next(t for t in tables if t.one("caption").text == caption)
    return [[c.text for c in r.children] for r in table.one("tbody").every("tr")]


def test_the_top_says_what_where_with_what_and_how_it_ended(page, model, call):
    """A reader of the page alone knows what the figures are of."""
    root = page(
        model(),
        call(),
        environments={"e": {"cpu": "CPU 9", "python": "3.11", "git": {"commit": "c0ffee" * 5}}},
        devices={"GPU-1": {"name": "Board", "driver": "580.1"}, "GPU-2": {"name": "Board"}},
        exit_status=None,
    )
    facts = {div.one("dt").text: div.one("dd").text for div in root.one("dl").children}
    assert facts["measured"] == "2 cases (offline batches: 1, callables: 1)"
    assert facts["machine"] == "CPU 9, Python 3.11"
    assert facts["commit"] == "c0ffeec0ffee"
    assert facts["GPUs"] == "Board, driver 580.1; Board"
    assert facts["meters"] == "rapl: package-0"
    assert facts["how sure"] == "counter: energy counters of the hardware (2 cases)"
    assert facts["exit status"] == "the run did not finish, so cases may be missing"
    assert facts["versions"] == "pytest-lem 0.1.0"
    assert root.one("h1").text == "Energy of small"


def test_each_kind_has_a_table_and_each_case_its_part(page, model, call):
    """A row leads to the part by its id, and figures stand with mark and uncertainty."""
    root = page(model(), call(tier=Tier.ESTIMATED, flags=(Flag.ESTIMATED,)))
    (infer,) = rows(root, "Models, offline batches")
    assert infer[0].startswith("infer/transformers/small/float32/b2/default-")
    assert infer[1] == "1.00 J ±10 %"
    (called,) = rows(root, "Callables")
    assert called[:2] == ["test_it.py::test_sort", "~2.00 J ±10 %"]
    links = [a.attributes["href"] for a in root.every("a") if "case-" in a.attributes["href"]]
    assert links == ["#case-1", "#case-2"]
    assert [d.attributes["id"] for d in root.every("details", class_="case")] == [
        "case-1",
        "case-2",
    ]


def test_an_unknown_figure_has_a_dash_and_the_reason(page, call):
    """Nobody takes unknown for none: the reason is in the cell, and in the part of the case."""
    root = page(call(joules=None))
    cell = root.every("td")[0]
    assert cell.attributes["data-value"] == ""
    assert cell.text == "— unknown: the sensor slept"
    part = root.one("details", id="case-1").text
    assert "energy_per_call_j" in part
    assert "the sensor slept" in part


def test_heads_can_be_sorted_by_and_say_so(page, call):
    """A head is a button, in a cell that says how the table is sorted."""
    root = page(call())
    heads = root.one("table", class_="cases").one("thead").every("th")
    assert {head.attributes["aria-sort"] for head in heads} == {"none"}
    assert all(head.one("button").attributes["type"] == "button" for head in heads)
    assert [head.attributes["data-sort"] for head in heads][:2] == ["text", "number"]


def test_strange_texts_stay_texts(page, make_page, model, call):
    """Ids and what a model said are in the page as text only, whatever they contain."""
    record = model(text=f"{NASTY}<img src=x onerror=alert(2)>")
    root = page(call(NASTY), record, series=None)
    assert [script.attributes.get("type") for script in root.every("script")].count(None) == 1
    assert root.every("img") == []
    assert SHOWN in root.one("details", id="case-1").text
    assert any("<img src=x onerror=alert(2)>" in pre.text for pre in root.every("pre"))
    assert "\u202e" not in make_page(call(NASTY), record)


def test_the_page_asks_for_nothing_from_outside(page, model):
    """It opens offline, and a policy in it forbids anything else."""
    root = page(model())
    for node in (*root.every("script"), *root.every("link"), *root.every("img")):
        place = node.attributes.get("src") or node.attributes.get("href") or "data:,"
        assert place.startswith("data:")
    policy = next(m for m in root.every("meta") if m.attributes.get("http-equiv"))
    assert "default-src 'none'" in policy.attributes["content"]


def test_every_chart_has_words(page, model):
    """Who cannot see a chart is told what is in it, and what the script reads is JSON."""
    root = page(model(), model(batch_size=4, output_tokens=8))
    charts = root.every("figure")
    assert charts
    for chart in charts:
        plot = chart.one("div", class_="plot")
        assert plot.attributes["role"] == "img"
        assert chart.one("p", class_="words").text in plot.attributes["aria-label"]
        assert json.loads(chart.one("script").raw).keys() == {"data", "layout"}


def test_a_run_without_records_says_so(page):
    """There is a page, and it does not look as if something had been measured."""
    root = page()
    assert root.one("h1").text == "Energy of a run without cases"
    assert headings(root) == ["Cases"]
    assert "No case was measured" in root.text


def test_a_failed_case_says_why(page, model):
    """It is counted at the top, marked in the table, and its part has the sentence."""
    failure = (FailureKind.OOM, "the model does not fit; take a smaller batch")
    root = page(model(failure=failure, is_measured=False), model(batch_size=4))
    assert "1 of 2 cases failed; each says why" in root.text
    row = next(r for r in root.every("tr", class_="spoilt"))
    assert row.text.startswith("✗ failed ")
    assert "failed" in row.attributes["data-states"].split()
    part = root.one("details", id="case-1").text
    assert "failed (oom): the model does not fit; take a smaller batch" in part


def test_flags_and_reasons_are_explained_before_the_figures(page, call):
    """A reader sees what limits the figures first, and with each case again."""
    root = page(call(reasons=(Reason.FOREIGN_PROCESS,), flags=(Flag.SHORT_WINDOW,)), call("t::b"))
    assert headings(root)[0] == "Before you use the figures"
    text = root.text
    assert text.count("another process was on the GPU and is in its energy") == 2
    assert "(1 of 2 cases)" in text
    assert "! invalid: not to be trusted" in root.one("tr", class_="spoilt").text


def test_the_last_attempt_counts_and_cycles_are_told_apart(page, call, cycles):
    """A test that was run again has one row; one that was measured in cycles a row for each."""
    first, second = call(joules=1.0), call(joules=2.0)
    second.attempt = 2
    again = page(first, second)
    assert rows(again, "Callables")[0][1] == "500 mJ ±10 %"
    assert len(rows(again, "Callables")) == 1
    names = [row[0] for row in rows(page(*cycles(call, 1.0, 2.0)), "Callables")]
    assert names == ["test_it.py::test_sort, cycle 1", "test_it.py::test_sort, cycle 2"]


def test_a_run_of_an_older_release_has_a_page(page, model):
    """A figure that it did not know yet is unknown, and nothing else is lost."""
    record = model()
    for name in ("perplexity", "energy_per_good_request_j", "request_failure_rate", "mfu"):
        del record.metrics[name]
    assert "1.00 J ±10 %" in page(record, model(batch_size=8)).text


def test_paths_tell_nothing_of_folders(make_page, call):
    """Of options and of origins, whoever reads the page sees the names of files."""
    record = call()
    record.requested = {"seed": 1}
    record.settings_origin = {"seed": "/srv/ann/private/lem.yaml:3"}
    text = make_page(record, arguments=["--lem-config", "/srv/ann/private/lem.yaml"])
    assert "--lem-config lem.yaml" in text
    assert "<td>lem.yaml:3</td>" in text
    assert "/srv/ann" not in text
