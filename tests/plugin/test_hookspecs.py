"""Hooks for other plugins: each case, and the run."""

from __future__ import annotations

from typing import Any

import pytest

LISTENER = """
    def pytest_lem_result(config, record):
        with open("heard.txt", "a") as file:
            file.write(f"{record.case.key} {record.status}\\n")

    def pytest_lem_report(run_file):
        with open("heard.txt", "a") as file:
            file.write(f"{len(run_file.records)} records, {run_file.run.exit_status}\\n")
"""
SUITE = """
    from burn import burn

    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
        assert False
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "parallel"])
def test_others_hear_of_each_case_and_of_the_run(suite: Any, workers: tuple[str, ...]) -> None:
    """Once each, in one process, also where workers measure."""
    suite.makeconftest(LISTENER)
    suite.makepyfile(test_it=SUITE)

    suite.runpytest_subprocess(*workers).assert_outcomes(passed=1, failed=1)

    heard = (suite.path / "heard.txt").read_text().splitlines()
    assert sorted(heard[:2]) == ["test_it::test_one ok", "test_it::test_two failed"]
    assert heard[2:] == ["2 records, 1"]


def test_nobody_is_told_of_a_run_without_energy(suite: Any) -> None:
    """A plain suite stays as it is."""
    suite.makeconftest(LISTENER)
    suite.makepyfile(test_it="def test_plain(): pass")

    suite.runpytest_subprocess().assert_outcomes(passed=1)

    assert not (suite.path / "heard.txt").exists()
