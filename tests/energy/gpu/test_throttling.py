"""What slowed a board down: the counters of time, the bits of samples, and what they mean."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.gpu.throttling import Throttling, slowdowns_in, snapshot
from pytest_lem.flags import Reason

Make = Callable[..., Any]
NAMES = [
    "power_cap", "thermal", "sync_boost", "board_limit", "low_utilisation", "reliability",
    "thermal_software", "thermal_hardware", "power_brake",
]  # fmt: skip
QUIET = dict.fromkeys(NAMES, 10**9)


def _snapshot(driver: Make, answer: Any, version: str | None) -> dict[str, int | None]:
    made = driver({"GPU-a": {"FieldValues": answer}}, system={"DriverVersion": version})
    return snapshot(made, "GPU-a")


def _after(bits: int | None = 0, **grown_ns: int | None) -> Throttling:
    last = {n: None if grown_ns.get(n, 0) is None else QUIET[n] + grown_ns.get(n, 0) for n in NAMES}
    return Throttling.between(QUIET, last, window_s=10.0, bits=bits)


@pytest.mark.parametrize(
    ("version", "first"),
    [
        ("580.82.07", 269),
        ("590.44.01", 269),
        ("615.71", 269),
        ("580.65.06", 251),
        ("575.51.03", 251),
    ],
)
def test_each_driver_is_asked_by_its_own_numbers(
    driver: Make, fields: Make, version: str, first: int
) -> None:
    """Three fields moved between releases; their old numbers mean something else since."""
    numbers = [*range(74, 80), *range(first, first + 3)]
    answer = fields({n: n * 1000 for n in numbers} | {520 - first: 1, 521 - first: 1})
    assert _snapshot(driver, answer, version) == {
        name: n * 1000 for name, n in zip(NAMES, numbers, strict=True)
    }


@pytest.mark.parametrize("version", ["570.172.08", "535.161.07", "unknown", None])
def test_a_driver_from_before_these_fields_is_not_asked_for_them(
    driver: Make, fields: Make, version: str | None
) -> None:
    """It would answer with settings of power smoothing."""
    found = _snapshot(driver, fields(dict.fromkeys(range(300), 5)), version)
    assert {name for name, value in found.items() if value is None} == set(NAMES[6:])


def test_a_refused_field_is_unknown_beside_others(driver: Make, fields: Make) -> None:
    """The call succeeds all the same, and the value of a refused field is rubbish."""
    found = _snapshot(driver, fields({74: 12, 79: 0}), "590.44")
    assert {name: value for name, value in found.items() if value is not None} == {
        "power_cap": 12,
        "reliability": 0,
    }
    assert list(found) == NAMES


def test_a_board_that_refuses_the_call_leaves_all_unknown(driver: Make) -> None:
    """Unknown, and not 0."""
    assert _snapshot(driver, None, "590.44") == dict.fromkeys(NAMES)


def test_a_quiet_window_has_no_reasons() -> None:
    """Nothing grew and nothing was seen."""
    quiet = _after()
    assert quiet.reasons() == []
    assert quiet.seconds == dict.fromkeys(NAMES, 0.0)
    assert quiet.seen == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("thermal", Reason.THERMAL_SLOWDOWN),
        ("thermal_software", Reason.THERMAL_SLOWDOWN),
        ("thermal_hardware", Reason.THERMAL_SLOWDOWN),
        ("power_brake", Reason.POWER_BRAKE),
        ("board_limit", Reason.BOARD_LIMIT),
        ("reliability", Reason.RELIABILITY),
        ("power_cap", None),
        ("sync_boost", None),
        ("low_utilisation", None),
    ],
)
def test_any_growth_of_a_faults_counter_is_a_reason(name: str, reason: Reason | None) -> None:
    """A single nanosecond is growth; other counters are recorded only."""
    assert _after(**{name: 1}).reasons() == [reason] * (reason is not None)


@pytest.mark.parametrize(
    ("bit", "reason"),
    [
        (0x1, None), (0x2, None), (0x4, None), (0x10, None), (0x100, None), (0x800, None),
        (0x8, Reason.HARDWARE_SLOWDOWN), (0x20, Reason.THERMAL_SLOWDOWN),
        (0x40, Reason.THERMAL_SLOWDOWN), (0x80, Reason.POWER_BRAKE), (0x200, Reason.BOARD_LIMIT),
        (0x400, Reason.RELIABILITY),
    ],
)  # fmt: skip
def test_a_bit_in_any_sample_is_a_reason(bit: int, reason: Reason | None) -> None:
    """Bits that name no fault, or that are not known yet, are none."""
    assert _after(bits=bit).reasons() == [reason] * (reason is not None)


def test_a_reason_is_named_once_however_often_it_shows() -> None:
    """Heat shows in three counters and two bits."""
    hot = _after(bits=0x68, thermal=5, thermal_software=5, thermal_hardware=5)
    assert hot.reasons() == [Reason.HARDWARE_SLOWDOWN, Reason.THERMAL_SLOWDOWN]


@pytest.mark.parametrize(
    ("first_ns", "last_ns", "seconds"),
    [(0, 0, None), (None, 5, None), (5, None, None), (9, 5, None), (5, 5, 0.0), (0, 10**9, 1.0)],
)
def test_a_counter_says_something_only_once_it_has_moved(
    first_ns: int | None, last_ns: int | None, seconds: float | None
) -> None:
    """One that is still 0 may be one that never counts; one that went back began anew."""
    found = Throttling.between({"thermal": first_ns}, {"thermal": last_ns}, window_s=2.0, bits=None)
    assert found.seconds == {"thermal": seconds}
    assert found.reasons() == ([Reason.THERMAL_SLOWDOWN] if seconds else [])


def test_the_share_of_the_power_cap_is_its_time_by_the_window() -> None:
    """Steps of the counter at the edges do not make it more than the whole."""
    assert _after(power_cap=2_500_000_000).shares["power_cap"] == 0.25
    assert _after(power_cap=10_100_000_000).shares["power_cap"] == 1.0
    assert _after(power_cap=None).shares["power_cap"] is None


def test_the_record_is_plain_json() -> None:
    """Seconds by cause, the share that comparisons need, what samples showed."""
    found = _after(bits=0x5, power_cap=10**9, reliability=None).plain()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["seconds"] == dict.fromkeys(NAMES, 0.0) | {"power_cap": 1.0, "reliability": None}
    assert (found["power_cap_share"], found["seen"]) == (0.1, ["idle", "power_cap"])
    assert _after(bits=None).plain()["seen"] is None


@pytest.mark.parametrize(
    ("bits", "causes"),
    [(0, set()), (0x1 | 0x2 | 0x100, set()), (0x4 | 0x1, {"power_cap"}), (0x80 | 0x40 | 2**20,
     {"power_brake", "thermal_hardware"})],
)  # fmt: skip
def test_a_sample_says_what_slowed_the_board_down(bits: int, causes: set[str]) -> None:
    """Rest and settings of clocks are no slow-downs, and unknown bits say nothing."""
    assert slowdowns_in(bits) == causes


def test_seconds_of_windows_that_follow_each_other_add_up() -> None:
    """Whatever the counters do, two halves have the time of the whole."""
    random_ns = random.Random(5)
    for _ in range(200):
        readings = [QUIET]
        for _ in range(2):
            readings.append({n: ns + random_ns.randrange(10**10) for n, ns in readings[-1].items()})
        spans = [(0, 1), (1, 2), (0, 2)]
        halves = [
            Throttling.between(readings[a], readings[b], window_s=1.0, bits=0).seconds
            for a, b in spans
        ]
        for name in NAMES:
            assert halves[0][name] + halves[1][name] == pytest.approx(halves[2][name])
