"""What other plugins add to records and to the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "hooks.md"
SUITE = """
    import pytest
    from burn import burn

    @pytest.mark.shelf("B2")
    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
"""
MARKER = "def pytest_configure(config): config.addinivalue_line('markers', 'shelf(name)')\n"


def documented() -> str:
    """Return the plugin that the page shows."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return code


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "parallel"])
def test_the_plugin_of_the_documentation_works(
    suite: Any, stored: Callable[[], Any], monkeypatch: Any, workers: tuple[str, ...]
) -> None:
    """All four hooks, in one process and in several."""
    monkeypatch.setenv("TEAM", "heat")
    suite.makeconftest(MARKER + documented())
    suite.makepyfile(test_it=SUITE)

    result = suite.runpytest_subprocess("-s", "--lem-json=run.json", *workers)

    result.assert_outcomes(passed=2)
    run_file = stored()
    assert run_file.extensions == {"team": {"name": "heat"}}
    found = {r.case.key: r.extensions for r in run_file.records}
    assert found == {"test_it::test_one": {"shelf": "B2"}, "test_it::test_two": {"shelf": None}}
    result.stdout.fnmatch_lines_random(
        ["*test_it::test_one: shelf B2, known: True", "*heat measured 2 cases"]
    )


def test_the_journal_has_it_too(suite: Any) -> None:
    """A run that is killed loses nothing that was added."""
    suite.makeconftest(MARKER + documented())
    suite.makepyfile(test_it=SUITE)
    suite.runpytest_subprocess().assert_outcomes(passed=2)

    (path,) = suite.path.glob(".lem/runs/*/journal.jsonl")
    from pytest_lem import read_run

    run_file = read_run(path)
    assert run_file.extensions == {"team": {"name": "unknown"}}
    assert run_file.records[0].extensions == {"shelf": "B2"}


MISTAKES = {
    "raises": ("raise ValueError('no shelf')", "raised ValueError: no shelf"),
    "skips": ("pytest.skip('no shelf')", "raised Skipped: no shelf"),
    "no JSON": ("record.extensions['x'] = {1, 2}", "added what JSON cannot hold: *"),
    "no number": ("record.extensions['x'] = float('nan')", "added what JSON cannot hold: *"),
    "no dict": ("record.extensions = [1]", "put list where a dict belongs"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_costs_what_it_would_have_added(
    suite: Any, stored: Callable[[], Any], mistake: str
) -> None:
    """Neither the record, nor what another plugin adds; the warning names who made it."""
    code, complaint = MISTAKES[mistake]
    suite.makeconftest(
        "import pytest\n"
        f"def pytest_lem_update_record(record):\n    record.extensions['half'] = 1\n    {code}\n"
        "def pytest_lem_update_context(context):\n    context['half'] = 1\n    1 / 0\n"
    )
    suite.makepyfile(
        good="""
        def pytest_lem_update_record(record):
            record.extensions["good"] = 1

        def pytest_lem_update_context(context):
            context["good"] = 1
        """,
        test_it="from burn import burn\ndef test_one(energy): energy(burn)",
    )

    result = suite.runpytest_subprocess("-p", "good", "--lem-json=run.json")

    result.assert_outcomes(passed=1, warnings=2)
    assert [r.extensions for r in stored().records] == [{"good": 1}]
    assert stored().extensions == {"good": 1}
    result.stdout.fnmatch_lines_random(
        [
            f"*conftest.py: the hook pytest_lem_update_record {complaint}; what it would *",
            "*conftest.py: the hook pytest_lem_update_context raised ZeroDivisionError: *",
        ]
    )


def test_figures_cannot_be_changed(suite: Any, stored: Callable[[], Any]) -> None:
    """What was measured stays, whatever a hook does to its copy."""
    suite.makeconftest(
        """
        def pytest_lem_update_record(record):
            record.metrics["energy_per_call_j"].value = 0.001
            record.rounds.clear()
            record.status = "failed"
            record.extensions["tried"] = True
        """
    )
    suite.makepyfile(test_it="from burn import burn\ndef test_one(energy): energy(burn)")
    suite.runpytest_subprocess("--lem-json=run.json").assert_outcomes(passed=1)

    (record,) = stored().records
    assert record.extensions == {"tried": True}
    assert (record.status, len(record.rounds)) == ("ok", 2)
    assert record.metrics["energy_per_call_j"].value != 0.001


def test_a_hook_of_a_folder_is_for_its_tests(suite: Any, stored: Callable[[], Any]) -> None:
    """As every hook of a conftest that gets an item."""
    for folder in ("a", "b"):
        suite.mkdir(folder).joinpath(f"test_{folder}.py").write_text(
            "from burn import burn\ndef test_one(energy): energy(burn)\n"
        )
    suite.path.joinpath("a", "conftest.py").write_text(
        "def pytest_lem_update_record(record): record.extensions['a'] = 1\n"
    )
    suite.runpytest_subprocess("--lem-json=run.json").assert_outcomes(passed=2)

    found = {r.case.key: r.extensions for r in stored().records}
    assert found == {
        "test_a::test_one": {"a": 1},
        "test_b::test_one": {},
    }
