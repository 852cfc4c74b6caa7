"""What a session says in the terminal, whatever that is."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
import pytest
from burn import burn

@pytest.mark.energy(work=1000, unit="row")
def test_with_a_name_that_has_to_be_folded_somewhere(energy):
    with energy.window(work=1000, unit="row"):
        burn()

@pytest.mark.energy(max_joules=1e-9)
def test_over_budget(energy):
    energy(burn)

def test_ünusual(energy):
    energy(burn)
"""
SKIPPING = """
import pytest

@pytest.mark.parametrize("number", range(12))
def test_x(energy, number):
    if number in {1, 2, 3}:
        pytest.skip("not today")
    energy(list)

@pytest.fixture
def broken():
    raise OSError("no")

def test_broken(broken, energy):
    energy(list)

@pytest.mark.skip
def test_never(energy):
    energy(list)
"""


def _section(text: str) -> list[str]:
    """Return the lines of the table and what follows it, up to the place of the run file."""
    lines = [line.rstrip() for line in text.splitlines()]
    start = next(
        n for n, line in enumerate(lines) if set(line.split()) >= {"energy"} and "==" in line
    )
    end = next(n for n, line in enumerate(lines) if line.startswith("run file: "))
    return lines[start:end]


@pytest.mark.parametrize("width", ["40", "60", "80", "120"])
@pytest.mark.parametrize("verbosity", [(), ("-v",)], ids=["plain", "-v"])
def test_nothing_is_cut_or_wider_than_the_terminal(
    lem: Any, monkeypatch: pytest.MonkeyPatch, width: str, verbosity: tuple[str, ...]
) -> None:
    """Nor coloured, where the output is no terminal."""
    monkeypatch.setenv("COLUMNS", width)
    text = lem(SOURCE, *verbosity).stdout.str()
    section = _section(text)
    assert max(map(len, section)) <= int(width)
    assert "…" not in "".join(section)
    assert "\x1b" not in text
    assert any("✗ test_it::test_over_budget" in line for line in section)


def test_a_plain_terminal_gets_lines_in_its_own_characters(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress, table and notes: nothing ends the run, and no line break is lost."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    suite.makepyfile(test_it=SOURCE)
    result = suite.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str().isascii()
    result.stdout.re_match_lines(
        [
            r"  test_it::test_\\xfcnusual: ~\S+ \w?J/call\+-\S+ %, .*",
            r"case  .*J/call.*",
            r"x test_it::test_over_budget  .*",
            r"test_it::test_\\xfcnusual  .*",
            r"~ estimated: .*",
        ]
    )
    result.stderr.no_fnmatch_line("*INTERNALERROR*")


def test_quiet_runs_say_it_all_in_one_line(lem: Any) -> None:
    """What failed, and with a baseline the verdicts too."""
    lines = lem(SOURCE, "-q", "--lem-save=main").stdout.lines
    found = [line for line in lines if line.startswith("energy: ")]
    assert len(found) == 1
    assert found[0].startswith("energy: 3 cases, ~")
    assert ", 1 failed" in found[0]
    lines = lem(None, "-q", "--lem-baseline=main").stdout.lines
    (line,) = [line for line in lines if line.startswith("energy: ")]
    assert " against main; .lem/runs/" in line


def test_skipped_tests_are_not_waited_for(lem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of which it is known, nor those that find out, nor one that breaks."""
    monkeypatch.setattr("pytest_lem.reports.progress._LONG_S", -1.0)
    lines = lem(SKIPPING).stdout.lines
    said = [line.partition("[")[2] for line in lines if "test_x[" in line and " left]" in line]
    counts = [text.partition("[")[2].partition(",")[0] for text in said]
    assert counts == [
        "1 of 13", "2 of 10", "3 of 10", "4 of 10", "5 of 10", "6 of 10", "7 of 10", "8 of 10",
        "9 of 10",
    ]  # fmt: skip
