"""The simulated meter from end to end: it shows something, and nothing rests on it."""

from __future__ import annotations

from typing import Any

import pytest

CALL = """
import pytest
from burn import burn

@pytest.mark.energy({marker})
def test_x(energy):
    with energy.window(work=2):
        burn(0.02)
"""
#: What nothing made up may claim to be.
MEASURED = ("energy_total_j", "energy_net_per_call_j", "power_idle_w", "power_peak_w")


@pytest.fixture
def only(stored: Any) -> Any:
    """Return a function that gives the only record of the last run."""

    def only() -> Any:
        (record,) = stored().records
        return record

    return only


def test_the_figures_are_the_watts_times_the_seconds(lem: Any, only: Any) -> None:
    """A suite can be tried out, with energy that is known beforehand."""
    result = lem(CALL.format(marker=""), "--lem-meter=simulated", "--lem-set=energy.simulated_w=42")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["lem: *simulated, 42 W at all times: made up, nothing is*"])
    record = only()
    (r,) = record.rounds
    assert [(e.domain, e.device) for e in r.energies] == [("estimate", "simulated")]
    assert r.energies[0].value == pytest.approx(42 * (r.t1 - r.t0))
    metrics = record.metrics
    assert metrics["power_mean_w"].value == pytest.approx(42)
    assert metrics["energy_per_unit_j"].value == pytest.approx(r.energies[0].value / 2)
    assert record.comparability.refuse["meter.simulated"] == "simulated-1"


def test_it_is_known_for_what_it_is(lem: Any, only: Any) -> None:
    """Origin, flag and tier in the record; the mark of what is not measured in the table."""
    result = lem(CALL.format(marker=""), "--lem-meter=simulated")
    record = only()
    assert record.origin == "simulated"
    assert "simulated" in record.flags
    assert (record.metrics["energy_per_call_j"].tier, record.metrics["energy_per_call_j"].u) == (
        "estimated",
        None,
    )
    result.stdout.re_match_lines([r"test_it::test_x +~\S+ m?J ±\? "])
    result.stdout.fnmatch_lines(["~ simulated: energy comes from the simulated meter and*"])


def test_nothing_measured_is_made_of_it(lem: Any, only: Any) -> None:
    """There is no total, no rest and no peak, each with a reason."""
    lem(CALL.format(marker=""), "--lem-meter=simulated", "--lem-set=measure.idle_s=1")
    metrics = only().metrics
    assert {name: metrics[name].value for name in MEASURED} == dict.fromkeys(MEASURED)
    assert metrics["energy_total_j"].reason == "no domain was measured"
    assert metrics["energy_net_per_call_j"].reason == "idle power was not measured"


def test_a_failed_case_is_simulated_too(lem: Any, only: Any) -> None:
    """A record without rounds has the origin of its session."""
    lem("def test_x(energy):\n    energy(lambda: 1 / 0)\n", "--lem-meter=simulated")
    record = only()
    assert (record.status, record.rounds, record.origin) == ("failed", [], "simulated")


@pytest.mark.parametrize("limit", ["max_joules=1e9", "max_joules_per_unit=1e9"])
def test_it_keeps_no_budget(lem: Any, only: Any, limit: str) -> None:
    """However high the limit, the test fails: nothing was measured that could be under it."""
    result = lem(CALL.format(marker=limit), "--lem-meter=simulated")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it::test_x: energy budget of * the energy is simulated;*"])
    assert (only().status, only().failure_kind) == ("failed", "gate")


def test_it_satisfies_no_required_tier(lem: Any, only: Any) -> None:
    """An estimate stands for something; this does not."""
    result = lem(CALL.format(marker=""), "--lem-meter=simulated", "--lem-require-tier=estimated")
    result.assert_outcomes(failed=1)
    assert only().failure_kind == "meter"
    assert only().message == (
        "energy of tier `estimated` is required, and it is simulated; take another --lem-meter, "
        "or the requirement out"
    )


def test_it_is_only_there_when_it_is_named(lem: Any, only: Any) -> None:
    """`auto` takes the sensors and the estimate that there are."""
    lem(CALL.format(marker=""), "--lem-meter=auto").assert_outcomes(passed=1)
    record = only()
    assert (record.origin, "simulated" in record.flags) == ("measured", False)
    assert "meter.simulated" not in record.comparability.refuse


def test_it_stands_beside_no_real_meter(lem: Any) -> None:
    """Made-up joules would be taken for theirs."""
    result = lem(CALL.format(marker=""), "--lem-meter=estimated,simulated")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lem-meter: *`simulated` is made up, so it cannot*"])


def test_a_model_is_marked_like_a_callable(engine: Any, lem: Any, only: Any) -> None:
    """Prefill and decode are not told apart by what has no uncertainty."""
    source = "def test_x(inference):\n    inference(measure={'split': True})\n"
    result = lem(source, "--lem-meter=simulated")
    result.assert_outcomes(passed=1)
    record = only()
    assert record.origin == "simulated"
    assert record.metrics["energy_per_output_token_j"].value > 0
    assert record.metrics["prefill_energy_j"].value > 0
    assert "uncertainty" in record.metrics["decode_energy_j"].reason
    result.stdout.fnmatch_lines(["*~*J/token ±[?], * token/s*", "~ simulated: *"])
