"""What a test is failed for, after its measurements went well."""

from __future__ import annotations

from typing import Any

#: One window in which the system counts CPU time, and one in which it counts none.
TWO = """
import pytest
from burn import burn
from pytest_lem.energy import estimated

@pytest.mark.energy({marker})
def test_x(energy, monkeypatch):
    with energy.window("long"):
        burn()
    monkeypatch.setattr(estimated, "cpu_seconds", lambda pids: 1.0)
    with energy.window("empty"):
        pass
"""
REQUIRED = "--lem-require-tier=estimated"


def test_a_required_tier_holds_for_each_case(lem: Any, stored: Any) -> None:
    """One of two cases has unknown energy: it fails, and the test with it, and the other stays."""
    result = lem(TWO.format(marker=""), REQUIRED)
    result.assert_outcomes(failed=1)
    long, empty = stored().records
    assert (long.status, empty.status, empty.failure_kind) == ("ok", "failed", "meter")
    assert empty.message == (
        "energy of tier `estimated` is required, and it is unknown: "
        "the measured processes used no CPU time that the system counts"
    )
    result.stdout.fnmatch_lines([f"test_it::test_x#empty: {empty.message}"])


def test_without_a_requirement_unknown_energy_fails_nothing(lem: Any, stored: Any) -> None:
    """It is null with its reason."""
    lem(TWO.format(marker="")).assert_outcomes(passed=1)
    assert [r.status for r in stored().records] == ["ok", "ok"]
    assert stored().records[1].metrics["energy_per_call_j"].value is None


def test_everything_that_is_wrong_is_said(lem: Any, stored: Any) -> None:
    """A budget that is broken does not hide a tier that was not reached, nor another case."""
    result = lem(TWO.format(marker="max_joules=1e-9"), REQUIRED)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_it::test_x#empty: energy of tier `estimated` is required, and it is unknown*",
            "test_it::test_x#long: over the energy budget: * J/call (an estimate) is more*",
            "test_it::test_x#empty: energy budget of 1e-09 J/call cannot be judged: *",
        ]
    )
    assert [r.failure_kind for r in stored().records] == ["gate", "meter"]


def test_a_required_tier_is_nothing_to_a_suite_that_is_switched_off(suite: Any) -> None:
    """With `--lem=off` it runs where no sensor is."""
    suite.makepyfile(test_it=TWO.format(marker=""))
    suite.runpytest_inprocess("--lem=off", "--lem-require-tier=counter").assert_outcomes(passed=1)


def test_a_test_that_fails_by_itself_is_not_judged(lem: Any, stored: Any) -> None:
    """Its own error is what a reader has to see."""
    source = TWO.format(marker="max_joules=1e-9") + "    assert energy.records == []\n"
    result = lem(source, REQUIRED)
    result.stdout.fnmatch_lines(["E * assert *"])
    result.stdout.no_fnmatch_line("*is required*")
    assert {r.failure_kind for r in stored().records} == {"test"}
