"""The summary of a run for GitHub."""

from __future__ import annotations

import pytest

from pytest_lem.reports.markdown import escaped, markdown


def test_cases_have_a_table(summarise, call, cycles):
    """Names to the left, figures to the right, as the terminal shows them."""
    text = markdown(summarise(*cycles(call, 8.0, 8.8, 9.6, unit=None)))
    assert text.splitlines()[:5] == [
        "**run 20260102T030405-abcdef, 2026-01-02T03:04:05+00:00, 1 case, preset standard**",
        "",
        "| case | J/call | s/call | power |",
        "|---|--:|--:|--:|",
        "| test_it.py::test_sort | 2.20 J ±9 % | 500 ms ±0 % | 4.40 W ±9 % |",
    ]


def test_models_and_callables_have_tables_of_their_own(summarise, model, call):
    """An empty line stands before each, without which GitHub sees no table."""
    lines = markdown(summarise(model(), call())).splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("| case |")]
    assert len(starts) == 2
    assert all(lines[n - 1] == "" for n in starts)


def test_groups_have_their_fields_in_front(summarise, model):
    """Each field is a column."""
    lines = markdown(summarise(model(), fields=("backend", "batch_size"))).splitlines()
    assert lines[2].startswith("| backend | batch_size | J/token |")
    assert lines[3].startswith("|---|---|--:|")
    assert lines[4].startswith("| transformers | 2 | 1.00 J |")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("t::f[a|b]", r"t::f\[a\|b\]"),
        ("a\nb\r\nc", "a<br>b<br>c"),
        (r"a\|b", r"a\\\|b"),
        ("<b>&amp;</b>", r"\<b\>\&amp;\</b\>"),
        ("*a* `b` ~~c~~ $d$", r"\*a\* \`b\` \~\~c\~\~ \$d\$"),
        ("test_it __init__ _a_", r"test_it \_\_init\_\_ \_a\_"),
        ("", " "),
    ],
)
def test_text_is_escaped(text, shown):
    """A pipe would end a cell, a newline the table, and the rest would be read as markup."""
    assert escaped(text) == shown


def test_an_id_keeps_its_row_whole(summarise, call, gate_of):
    """In both tables: as many cells as there are heads, in one line."""
    record = call("t::f[a|b\nc]", unit=None)
    summary = summarise(record)
    summary.compare(gate_of((record, "regressed")))
    rows = [line for line in markdown(summary).splitlines() if r"t::f\[a\|b<br>c\]" in line]
    assert [row.replace(r"\|", "").count("|") for row in rows] == [5, 8]


def test_verdicts_and_notes_follow(summarise, call, gate_of):
    """With the reasons and what a reader has to know, as lists."""
    record = call("a", unit=None)
    summary = summarise(record)
    summary.compare(gate_of((record, "regressed"), unmeasured=["gone"]))
    lines = markdown(summary).splitlines()
    start = lines.index("**gate: baseline main (3 sessions), energy_per_call_j:1**")
    assert lines[start + 2 : start + 5] == [
        "| verdict | case | figure | change \\[95 %\\] | found from | sessions | reasons |",
        "|---|---|---|--:|--:|--:|---|",
        "| REGRESSED | a | J/call | +25.0 % \\[+12.5, +37.5\\] | 6.2 % | 3 | scatter_assumed |",
    ]
    assert lines[start + 5] == ""
    assert lines[start + 6].startswith("- scatter_assumed: with fewer than 8 sessions")
    assert any(line.startswith("- in main, but not in this run") for line in lines)
    assert any(line.startswith("- too few cycles") for line in lines)


def test_what_differs_is_listed(summarise, call, gate_of):
    """An incomparable verdict is of no use without it."""
    record = call("a")
    gate = gate_of((record, "incomparable"))
    gate.comparisons[0].differences = ["gpu.name: [A] -> [B]"]
    gate.comparisons[0].under_test = ["backend.version: 1 -> 2"]
    summary = summarise(record)
    summary.compare(gate)
    lines = markdown(summary).splitlines()
    assert r"- differs: gpu.name: \[A\] -\> \[B\]" in lines
    assert r"- under test: backend.version: 1 -\> 2" in lines


def test_two_sides_rest_on_pairs(summarise, call, gate_of):
    """Their column has the name of what it counts."""
    record = call("a", unit=None)
    summary = summarise(record)
    gate = gate_of((record, "pass"), heading="paired: against x:1, by turns")
    gate.comparisons[0].pairs, gate.comparisons[0].sessions = 10, None
    summary.compare(gate)
    lines = markdown(summary).splitlines()
    start = lines.index("**paired: against x:1, by turns**")
    assert "| found from | pairs | reasons |" in lines[start + 2]
    assert "| 6.2 % | 10 | scatter_assumed |" in lines[start + 4]
