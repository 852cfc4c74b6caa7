"""What stands beside a change, and what asks for care."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.gate.baseline import Found
from pytest_lem.gate.context import speed_ratio, surroundings
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.past import past_of
from pytest_lem.gate.verdict import Cause
from pytest_lem.results.comparability import comparability
from pytest_lem.results.entry import Entry
from pytest_lem.results.record import Comparability

Make = Callable[..., Any]
ENERGY = "energy_per_output_token_j"


@pytest.fixture
def found(facts: Make) -> Callable[..., Found]:
    """Make a history of entries, `then` under their facts."""

    def make(*past: Entry, then: Comparability | None = None, on_same_board: bool = True) -> Found:
        before = then or facts()
        return Found([past_of("r", one, before) for one in past], on_same_board=on_same_board)

    return make


def _cautions(new: Entry, facts: Comparability, found: Found) -> list[Cause]:
    return list(surroundings(new, facts, found, UnderTest([])).cautions)


@pytest.mark.parametrize(
    ("metric", "speed", "ratio"),
    [
        ("energy_per_output_token_j", "output_throughput_tok_s", 2.5),
        ("energy_per_request_j", "request_throughput_req_s", 2.5),
        ("energy_per_unit_j", "unit_throughput_per_s", 2.5),
        ("energy_per_call_j", "call_duration_s", 0.4),
    ],
)
def test_each_energy_has_its_speed(
    entry: Make, found: Make, metric: str, speed: str, ratio: float
) -> None:
    """0.5 now, 0.1 and 0.4 before, whose geometric mean is 0.2; a duration is upside down."""
    past = found(entry(figures={speed: 0.1}), entry(figures={speed: 0.4}))
    new = entry(figures={speed: 0.5})
    assert speed_ratio(metric, new, past) == pytest.approx(ratio)


def test_a_speed_that_is_unknown_explains_nothing(entry: Make, found: Make) -> None:
    """Now, before, at all, or without a logarithm."""
    assert speed_ratio(ENERGY, entry(2.0, None), found(entry())) is None
    assert speed_ratio(ENERGY, entry(), found(entry(2.0, None))) is None
    assert speed_ratio("ttft_s", entry(figures={"ttft_s": 1.0}), found(entry())) is None
    assert speed_ratio(ENERGY, entry(2.0, 0.0), found(entry())) is None
    assert speed_ratio(ENERGY, entry(), found(entry(2.0, 0.0))) is None


@pytest.mark.parametrize("speed", [None, 0.0, -1.0, 1e300])
def test_sessions_without_a_speed_are_left_out(
    entry: Make, found: Make, speed: float | None
) -> None:
    """The others say what it was."""
    past = found(entry(2.0, 100.0), entry(2.0, speed))
    assert speed_ratio(ENERGY, entry(2.0, 50.0), past) == pytest.approx(0.5)


def test_conditions_stand_beside_before_and_now(entry: Make, facts: Make, found: Make) -> None:
    """Means of the history's, of those that are known on both sides."""
    past = found(
        entry(sm_clock_mhz=1000.0, start_c=40.0, figures={"batch_occupancy": 0.5}),
        entry(sm_clock_mhz=1400.0, output_tokens=64.0, figures={"batch_occupancy": 1.0}),
    )
    new = entry(sm_clock_mhz=1100.0, output_tokens=60.0, figures={"batch_occupancy": 0.25})
    assert surroundings(new, facts(), past, UnderTest([])).beside == {
        "sm_clock_mhz": [1200.0, 1100.0],
        "output_tokens": [64.0, 60.0],
        "batch_occupancy": [0.75, 0.25],
    }
    assert surroundings(entry(), facts(), found(entry()), UnderTest([])).beside == {}


def test_an_old_history_like_this_run_asks_for_nothing(
    entry: Make, facts: Make, found: Make
) -> None:
    """The same board, clock, temperature, source and surroundings."""
    alike = entry(sm_clock_mhz=1000.0, start_c=40.0, source_sha256="aa")
    assert _cautions(alike, facts(), found(alike)) == []


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"power_cap_share": 0.54}, None),
        ({"power_cap_share": 0.56}, Cause.OTHER_POWER_CAP),
        ({"power_cap_share": 0.44}, Cause.OTHER_POWER_CAP),
        ({"power_cap_share": None}, None),
        ({"sm_clock_mhz": 1009.0}, None),
        ({"sm_clock_mhz": 1011.0}, Cause.OTHER_CLOCK),
        ({"sm_clock_mhz": 989.0}, Cause.OTHER_CLOCK),
        ({"start_c": 45.0}, None),
        ({"start_c": 45.1}, Cause.OTHER_TEMPERATURE),
        ({"start_c": 34.9}, Cause.OTHER_TEMPERATURE),
        ({"source_sha256": "bb"}, Cause.OTHER_SOURCE),
        ({"source_sha256": None}, Cause.OTHER_SOURCE),
    ],
)
def test_what_moved_beside_the_figure(
    entry: Make, facts: Make, found: Make, fields: dict[str, Any], cause: Cause | None
) -> None:
    """One per cent of the clock, five degrees, the source of the test."""
    own = {"sm_clock_mhz": 1000.0, "start_c": 40.0, "power_cap_share": 0.5, "source_sha256": "aa"}
    told = _cautions(entry(**{**own, **fields}), facts(), found(entry(**own)))
    assert told == ([cause] if cause else [])


@pytest.mark.parametrize(
    ("name", "value"),
    [("driver", ["580.2"]), ("vbios", ["v2"]), ("kernel", "6.2"), ("python", "3.13")],
)
def test_other_surroundings(
    entry: Make, facts: Make, found: Make, name: str, value: object
) -> None:
    """A reader hears of small versions, which keep nothing apart; each is stored by its name."""
    assert name in comparability(meters={}, environment={}, applied={}, devices={}).warn
    past = found(entry())
    assert _cautions(entry(), facts(**{name: value}), past) == [Cause.OTHER_SURROUNDINGS]
    assert _cautions(entry(), facts(something_else=value), past) == []


def test_the_source_is_compared_with_the_latest_session(
    entry: Make, facts: Make, found: Make
) -> None:
    """What changed long ago is no news."""
    past = found(entry(source_sha256="aa"), entry(source_sha256="bb"))
    assert _cautions(entry(source_sha256="bb"), facts(), past) == []
    assert _cautions(entry(source_sha256="aa"), facts(), past) == [Cause.OTHER_SOURCE]


def test_another_board_is_told(entry: Make, facts: Make, found: Make) -> None:
    """It makes the scatter larger than it may be."""
    past = found(entry(), on_same_board=False)
    assert _cautions(entry(), facts(), past) == [Cause.OTHER_BOARD]


def test_nothing_stands_beside_what_has_no_history(entry: Make, facts: Make, found: Make) -> None:
    """There is nothing that it could have changed from."""
    around = surroundings(entry(start_c=40.0), facts(), found(), UnderTest(["precision"]))
    assert (around.beside, around.cautions, around.under_test) == ({}, (), [])


@pytest.mark.parametrize("clock_mhz", [0.0, 1e-300, 1e300])
def test_a_clock_beyond_all_measure_breaks_nothing(
    entry: Make, facts: Make, found: Make, clock_mhz: float
) -> None:
    """A driver may tell 0 MHz, and an edited file anything."""
    past = found(entry(sm_clock_mhz=clock_mhz))
    told = _cautions(entry(sm_clock_mhz=1000.0), facts(), past)
    assert told == ([Cause.OTHER_CLOCK] if clock_mhz == 0 else [])


def test_what_is_under_test_is_told_from_what_to_what(
    entry: Make, facts: Make, found: Make
) -> None:
    """Settings and facts alike, against the latest session; the rest is not under test."""
    past = Found(
        [
            past_of("r1", entry(settings={"precision": "int4"}), facts({"backend.version": "1.0"})),
            past_of("r2", entry(), facts({"backend.version": "1.1"})),
        ]
    )
    new, now = entry(settings={"precision": "int8"}), facts({"backend.version": "2", "workers": 2})
    both = UnderTest(["backend.version", "precision"])
    assert surroundings(new, now, past, both).under_test == [
        "backend.version: 1.1 -> 2", "precision: float16 -> int8",
    ]  # fmt: skip
    assert surroundings(new, now, past, UnderTest([])).under_test == []
    assert surroundings(entry(), now, past, UnderTest(["precision"])).under_test == []
