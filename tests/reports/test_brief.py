"""A run in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason
from pytest_lem.reports.brief import brief

Make = Callable[..., Any]
ESTIMATED = {"tier": Tier.ESTIMATED, "flags": (Flag.ESTIMATED,)}


def test_a_single_case_has_its_figure_and_the_file(call: Make) -> None:
    """8 J for 4 calls."""
    assert brief([call()], place="run.json") == "energy: 1 case, 2.00 J/call; run.json"


def test_several_cases_have_the_range(model: Make) -> None:
    """The least and the largest, each in the unit that suits it."""
    records = [model(batch_size=1), model(batch_size=8, joules=0.008), model(batch_size=4)]
    assert brief(records) == "energy: 3 cases, 1.00 mJ to 1.00 J/token"


def test_joules_of_different_things_have_a_range_each(call: Make, model: Make) -> None:
    """A prompt's token is not an output's."""
    records = [call(), model(), model(name="prefill", output_tokens=1)]
    assert brief(records) == "energy: 3 cases, 2.00 J/call, 1.00 J/token, 800 mJ/prompt token"


def test_cycles_of_a_case_are_one_case(call: Make, cycles: Make) -> None:
    """And their scatter is in the range."""
    assert brief(cycles(call, 8.0, 12.0)) == "energy: 1 case, 2.00 J to 3.00 J/call"


def test_an_estimate_is_called_one(call: Make) -> None:
    """By its mark and by a word; what is simulated by another."""
    assert brief([call(**ESTIMATED)]) == "energy: 1 case, ~2.00 J/call (estimated)"
    simulated = call(tier=Tier.ESTIMATED, flags=(Flag.SIMULATED,))
    simulated.origin = "simulated"
    assert brief([simulated]) == "energy: 1 case, ~2.00 J/call (simulated)"


def test_what_is_unknown_is_said_and_never_0(call: Make) -> None:
    """Of all cases, or of some."""
    assert brief([call(joules=None)]) == "energy: 1 case, energy unknown"
    line = brief([call("a"), call("b", joules=None)])
    assert line == "energy: 2 cases, 2.00 J/call, energy unknown of 1"


def test_doubts_follow(call: Make) -> None:
    """What failed, what is invalid, and flags, of which there may be many."""
    failed = call("b", failure=(FailureKind.OOM, "too big"), is_measured=False)
    invalid = call("c", reasons=(Reason.METER_SILENT,), flags=(Flag.UNSTEADY, Flag.CONTENDED))
    flags = (Flag.SHORTENED, Flag.SINGLE_ROUND)
    line = brief([call("a", flags=flags), failed, invalid])
    assert line == (
        "energy: 3 cases, 2.00 J/call, 1 failed, 1 invalid, flags: contended shortened "
        "single_round and 1 more"
    )


def test_verdicts_are_counted_the_worst_first(call: Make, gate_of: Make) -> None:
    """With what it was compared with; a case that is missing has no record."""
    a, b, c = call("a"), call("b"), call("c")
    gate = gate_of((a, "pass"), (b, "regressed"), (c, "pass"))
    line = brief([a, b, c], gate.comparisons, "run.json")
    assert line == "energy: 3 cases, 2.00 J/call; 1 regressed, 2 pass against main; run.json"
    assert brief([], gate.comparisons[:1]) == "energy: 0 cases; 1 pass against main"
