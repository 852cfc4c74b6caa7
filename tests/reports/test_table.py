"""The table in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason, explained
from pytest_lem.reports.table import render
from pytest_lem.results.record import Record

Make = Callable[..., Any]
WIDTHS = (40, 60, 80, 120)


def _lines(
    *records: Record, width: int = 120, is_colored: bool = False, verbosity: int = 0
) -> list[str]:
    text = render(records, width=width, is_colored=is_colored, verbosity=verbosity)
    return [line.rstrip() for line in text.splitlines()]


def _cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("verbosity", [0, 1])
@pytest.mark.parametrize(
    "name", ["test[vllm-8]", "test[bold]", "test[/]", r"test[\[a]", "test[:smile:]", "test[a b]"]
)
def test_ids_appear_to_the_letter(call: Make, width: int, verbosity: int, name: str) -> None:
    """Whatever looks like markup is shown as the test's own id, in rows, details and failures."""
    width = max(width, 50)  # narrower, the id is no row of a table
    failed = call(f"{name}x", failure=(FailureKind.ENGINE, "[red]no[/red]"), is_measured=False)
    lines = _lines(call(name), failed, width=width, verbosity=verbosity)
    assert _cells(lines[1])[0] == name
    assert f"✗ {name}x: engine: [red]no[/red]" in lines


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(model: Make, call: Make, width: int) -> None:
    """Long ids are folded, columns give way, and no figure is cut."""
    long = call("tests/a/very/long/path/test_module.py::test_function[parameter-another-one]")
    broken = call("b", failure=(FailureKind.GATE, "over the budget"), tier=Tier.ESTIMATED)
    records = [model(), model(batch_size=8, flags=tuple(Flag)), long, call(), broken]
    for verbosity in (0, 1):
        lines = _lines(*records, width=width, verbosity=verbosity)
        assert max(map(len, lines)) <= width
        assert "…" not in "".join(lines)
        figures = [word for line in lines for word in line.split()]
        assert figures.count("±10") == 8  # two of a callable, one of a model; none is cut


def test_a_long_id_is_folded_and_not_cut(call: Make) -> None:
    """Every character of an id is in the table, if on several lines."""
    name = "test_module.py::" + "".join(f"[{number}]" for number in range(30))
    lines = _lines(call(name, unit=None), width=60)[1:]
    assert "".join(_cells(line)[0] for line in lines if line and line[0] != "*").startswith(name)


def test_what_all_rows_share_stands_in_the_caption(model: Make) -> None:
    """Only what tells the rows apart has a column."""
    caption, header, *rows = _lines(model(batch_size=1), model(batch_size=32))
    assert caption == "backend transformers, model small, precision float32, workload default"
    assert _cells(header)[:2] == ["batch", "J/token"]
    assert [_cells(row)[0] for row in rows[:2]] == ["1", "32"]


def test_what_differs_has_a_column(model: Make) -> None:
    """Backends, workloads and options of rows that differ are told apart, to the letter."""
    records = [model(), model(backend="vllm", name="[chat]", options={"threads": "[2]"})]
    caption, header, first, second = _lines(*records)[:4]
    assert caption == "model small, precision float32, batch 2"
    assert _cells(header)[:3] == ["backend", "workload", "options"]
    assert _cells(second)[:3] == ["vllm", "[chat]", "threads=[2]"]
    assert _cells(first)[:2] == ["transformers", "default"]


def test_a_single_model_is_a_row_named_by_its_batch(model: Make) -> None:
    """With one row all is common, and still the row has a name."""
    caption, header, row = _lines(model())[:3]
    assert caption == "backend transformers, model small, precision float32, workload default"
    assert (_cells(header)[0], _cells(row)[0]) == ("batch", "2")


def test_figures_of_a_model(model: Make) -> None:
    """8 J, 2 s, 8 tokens in two requests that began after 0.5 s with 0.25 s a token."""
    _, header, row = _lines(model())[:3]
    assert dict(zip(_cells(header), _cells(row), strict=True)) == {
        "batch": "2",
        "J/token": "1.00 J ±10 %",
        "token/s": "4.00",
        "TTFT": "500 ms",
        "TPOT": "250 ms",
        "E2E": "1.25 s",
        "power": "4.00 W",
        "memory": "1.07 GB",
    }


def test_figures_of_a_callable(call: Make) -> None:
    """8 J and 2 s for 4 calls of 2 rows each."""
    header, row = _lines(call())[:2]
    assert dict(zip(_cells(header), _cells(row), strict=True)) == {
        "case": "test_it.py::test_sort",
        "J/call": "2.00 J ±10 %",
        "J/unit": "1.00 J ±10 %",
        "unit": "row",
        "s/call": "500 ms",
        "power": "4.00 W",
    }


def test_columns_that_nobody_can_fill_are_left_out(call: Make) -> None:
    """A column of dashes says nothing; where one row has a figure the others show a dash."""
    header, first, second = _lines(call("test_a", unit=None), call("test_b", unit="row"))[:3]
    assert (_cells(first)[2:4], _cells(second)[2:4]) == (["-", "-"], ["1.00 J ±10 %", "row"])
    assert "unit" in header
    header = _lines(call("test_a", unit=None), call("test_b", unit=None))[0]
    assert "unit" not in header


def test_unknown_energy_leaves_time_and_tokens(model: Make) -> None:
    """A table without energy is still a table."""
    header = _lines(model(joules=None))[1]
    assert "J/token" not in header
    assert "power" not in header
    assert "token/s" in header


def test_dispensable_columns_give_way_in_their_order(model: Make) -> None:
    """The narrower the terminal, the fewer figures; energy and speed stay to the last."""
    headers = {
        width: next(_cells(line)[1:] for line in _lines(model(), width=width) if "J/to" in line)
        for width in (120, 60, 45, 30)
    }
    assert max(len(line) for line in _lines(model(), width=45)) <= 45
    assert headers[120] == ["J/token", "token/s", "TTFT", "TPOT", "E2E", "power", "memory"]
    assert headers[60] == ["J/token", "token/s", "TTFT", "TPOT", "E2E", "power"]
    assert headers[45] == ["J/token", "token/s", "TTFT", "TPOT"]
    assert headers[30] == ["J/token", "token/s"]


def test_a_prefill_shows_energy_per_prompt_token_and_says_so(model: Make) -> None:
    """8 J for 10 prompt tokens, with a note."""
    lines = _lines(model(output_tokens=1))
    assert _cells(lines[2])[1] == "800 mJ ±10 %"
    assert "* J/token of a prefill-only workload is per prompt token" in lines
    assert not any("prefill" in line for line in _lines(model()))


def test_models_and_callables_have_a_table_each(model: Make, call: Make) -> None:
    """Kinds are not mixed in one table."""
    lines = _lines(call(), model())
    headers = [number for number, line in enumerate(lines) if "power" in line]
    assert ["J/token" in lines[headers[0]], "J/call" in lines[headers[1]]] == [True, True]


def test_an_estimate_is_marked_in_energy_and_power(call: Make) -> None:
    """Every figure with energy in it has the sign, the others do not."""
    row = _cells(_lines(call(tier=Tier.ESTIMATED, flags=(Flag.ESTIMATED,)))[1])
    assert [cell.startswith("~") for cell in row] == [False, True, True, False, False, True]


@pytest.mark.parametrize("flag", Flag)
def test_a_note_explains_every_flag_once(call: Make, flag: Flag) -> None:
    """Two cases with the same flag share its note, with the sign used in the table."""
    text = " ".join(_lines(call("a", flags=(flag,)), call("b", flags=(flag,)), width=400))
    sign = "~" if flag in {Flag.ESTIMATED, Flag.SIMULATED} else "*"
    assert text.count(f"{sign} {explained(flag)}") == 1


def test_a_note_counts_the_cases_it_concerns(call: Make) -> None:
    """Where not all cases have a flag, the note says how many do."""
    lines = _lines(call("a", flags=(Flag.UNSTEADY,)), call("b"), call("c"), width=200)
    assert lines[-1] == f"* {explained(Flag.UNSTEADY)} (1 of 3 cases)"


def test_an_invalid_case_is_marked_and_explained(call: Make) -> None:
    """Its row begins with an exclamation mark, and the reason has its text."""
    lines = _lines(call("a", reasons=(Reason.METER_SILENT,)), call("b"), width=200)
    assert lines[1].startswith("! a ")
    assert lines[2].startswith("b ")
    assert lines[-1] == f"! {explained(Reason.METER_SILENT)}"


def test_good_cases_need_no_notes(call: Make) -> None:
    """A table of a header and a row, and nothing else."""
    assert len(_lines(call())) == 2


def test_a_failed_case_is_listed_with_kind_and_sentence(call: Make) -> None:
    """What was not measured has no row."""
    failed = call("b", failure=(FailureKind.DATA, "no weights; get them"), is_measured=False)
    lines = _lines(call("a"), failed)
    assert lines[2:] == ["✗ b: data: no weights; get them"]
    assert not any(line.startswith("b ") for line in lines)


def test_failures_alone_are_a_report(call: Make) -> None:
    """A run in which nothing was measured still says why."""
    assert _lines(call("b", failure=(FailureKind.OOM, "too big"), is_measured=False)) == [
        "✗ b: oom: too big"
    ]


def test_failures_are_red(call: Make) -> None:
    """With colour, a failed case stands out in its row and in the list."""
    failed = call("b", failure=(FailureKind.GATE, "over the budget"))
    text = render([call("a"), failed], width=100, is_colored=True, verbosity=0)
    row, listed = (line for line in text.splitlines() if "✗ b" in line)
    assert "\x1b[31m" in row
    assert listed == "\x1b[31m✗ b: gate: over the budget\x1b[0m"


def test_a_failed_case_is_marked_without_colour(call: Make) -> None:
    """One that is invalid as well has both signs."""
    failed = {"failure": (FailureKind.GATE, "over the budget")}
    lines = _lines(call("a", **failed), call("b", reasons=(Reason.METER_SILENT,), **failed))
    assert [lines[1].startswith("✗ a "), lines[2].startswith("✗! b ")] == [True, True]


@pytest.mark.parametrize("verbosity", [0, 1])
def test_without_colour_there_are_no_escape_codes(
    model: Make, call: Make, verbosity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the surroundings force colour."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    failed = call("b", failure=(FailureKind.OOM, "too big"), flags=(Flag.UNSTEADY,))
    text = render(
        [model(text="t"), call(), failed], width=80, is_colored=False, verbosity=verbosity
    )
    assert "\x1b" not in text


def test_a_flag_of_a_later_release_stands_by_itself(call: Make) -> None:
    """A word that this release does not know is shown, and nothing breaks."""
    lines = _lines(call("a", flags=("from_the_future",)), width=400)
    assert lines[-1] == "* from_the_future"


def test_details_show_text_and_rounds(model: Make) -> None:
    """With -v: prompt and answer to the letter, and each round with its domain."""
    record = model(text="It is [red]Paris.\n")
    lines = _lines(record, verbosity=1)
    start = lines.index(record.case.key)
    assert lines[start + 1].strip() == r"'Where? [bold]' -> 'It is [red]Paris.\n'"
    assert _cells(lines[start + 2]) == ["step", "time", "energy", "±", "power", "of", "tokens"]
    rows = [_cells(line) for line in lines[start + 3 : start + 6]]
    assert ["round 1", "2.00 s", "8.00 J", "800 mJ", "4.00 W", "package-0", "8"] in rows
    assert record.case.key not in _lines(record)


def test_details_show_what_is_unknown_as_a_dash(call: Make) -> None:
    """A silent sensor and a case without tokens."""
    line = next(line for line in _lines(call(joules=None), verbosity=1) if "package-0" in line)
    assert _cells(line) == ["round 1", "2.00 s", "-", "-", "-", "package-0", "-"]


def test_a_row_too_wide_for_the_terminal_becomes_lines(call: Make) -> None:
    """The name, and each figure that is known behind what it is called; energy in any case."""
    failed = call("t::b", unit=None, joules=None, failure=(FailureKind.METER, "silent"))
    lines = _lines(call("t::test_with_a_long_name"), failed, width=40)
    assert lines[:5] == [
        "t::test_with_a_long_name",
        "  J/call  2.00 J ±10 %",
        "  J/unit  1.00 J ±10 %",
        "✗ t::b",
        "  J/call  -",
    ]


def test_rows_that_become_lines_say_what_their_numbers_are(model: Make) -> None:
    """A batch is a number, a workload speaks for itself."""
    records = [model(), model(batch_size=8, name="a-workload-of-some-length")]
    assert "batch 8, a-workload-of-some-length" in _lines(*records, width=40)


def test_the_share_of_idle_is_a_bar_where_there_is_room(model: Make) -> None:
    """3 W at rest of 4 W; nobody who did not measure it, and no narrow terminal, has a column."""
    record = model()
    assert "idle" not in _cells(_lines(record)[1])
    record.metrics["power_idle_w"] = record.metrics["power_mean_w"].model_copy(
        update={"value": 3.0}
    )
    _, header, row = _lines(record)[:3]
    assert "idle" in _cells(header)
    assert "████░  75 %" in row
    assert "idle" not in _lines(record, width=72)[1]
