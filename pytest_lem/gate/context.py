"""What stands beside a change: speed, clock, temperature, length, and what asks for care."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import exp, fsum
from typing import NamedTuple

from pytest_lem.gate.baseline import Found
from pytest_lem.gate.key import UnderTest, differences
from pytest_lem.gate.verdict import Cause
from pytest_lem.results.entry import FIGURES, Entry, is_credible
from pytest_lem.results.record import Comparability

#: The speed that belongs to an energy: joules for one thing are watts over things per second.
SPEEDS = {
    "energy_per_output_token_j": "output_throughput_tok_s",
    "energy_per_request_j": "request_throughput_req_s",
    "energy_per_unit_j": "unit_throughput_per_s",
    "energy_per_call_j": "call_duration_s",
}
_LARGEST_CLOCK_CHANGE = 0.01
_LARGEST_TEMPERATURE_CHANGE_C = 5.0
#: Of the time that a board spends at its power cap, as a share.
_LARGEST_CAP_CHANGE = 0.05
#: Facts of which a change asks for care.
_SURROUNDINGS = ("driver", "vbios", "kernel", "python")
#: Fields and figures of an entry that stand beside each of its changes.
_BESIDE = ("sm_clock_mhz", "start_c", "power_cap_share", "output_tokens", "batch_occupancy")


class Surroundings(NamedTuple):
    """What is the same for all figures of a case."""

    beside: dict[str, list[float]]
    cautions: tuple[str, ...]
    under_test: list[str]


def surroundings(
    entry: Entry, facts: Comparability, found: Found, under_test: UnderTest
) -> Surroundings:
    """Return what stands beside the figures of an entry; nothing where it has no history."""
    if not found.past:
        return Surroundings({}, (), [])
    moved = beside(entry, found)
    remarks = tuple(map(str, cautions(entry, facts, found, moved)))
    return Surroundings(moved, remarks, tested(entry, facts, found, under_test))


def speed_ratio(metric: str, entry: Entry, found: Found) -> float | None:
    """Return the speed of an entry over that of the history; None where it is not known."""
    name = SPEEDS.get(metric)
    now = entry.figures.get(name) if name else None
    before = found.mean(name) if name else None  # averaged as the energies are
    if now is None or before is None or not now.is_usable:
        return None
    ratio = now.value / exp(before)
    return 1 / ratio if name == "call_duration_s" else ratio


def beside(entry: Entry, found: Found) -> dict[str, list[float]]:
    """Return clock, temperature, power cap, length and occupancy, the history's mean and now."""
    pairs = {}
    for name in _BESIDE:
        now = _condition(entry, name)
        if now is not None and is_credible(now):
            past = [p.night.conditions(name)[p.row] for p in found.past]
            if before := [value for value in past if value is not None]:
                pairs[name] = [fsum(before) / len(before), now]
    return pairs


def cautions(
    entry: Entry, facts: Comparability, found: Found, moved: Mapping[str, list[float]]
) -> Iterator[Cause]:
    """Say what a reader of the comparison has to know; `moved` is what stands beside it."""
    if not found.on_same_board:
        yield Cause.OTHER_BOARD
    clock, heat = moved.get("sm_clock_mhz"), moved.get("start_c")
    if clock and abs(clock[1] - clock[0]) > _LARGEST_CLOCK_CHANGE * clock[0]:
        yield Cause.OTHER_CLOCK
    if heat and abs(heat[1] - heat[0]) > _LARGEST_TEMPERATURE_CHANGE_C:
        yield Cause.OTHER_TEMPERATURE
    cap = moved.get("power_cap_share")
    if cap and abs(cap[1] - cap[0]) > _LARGEST_CAP_CHANGE:
        yield Cause.OTHER_POWER_CAP
    last = found.past[-1]
    if entry.source_sha256 != last.field("source_sha256"):
        yield Cause.OTHER_SOURCE
    before, now = last.facts.warn, facts.warn
    if before != now and any(before.get(name) != now.get(name) for name in _SURROUNDINGS):
        yield Cause.OTHER_SURROUNDINGS


def tested(entry: Entry, facts: Comparability, found: Found, under_test: UnderTest) -> list[str]:
    """Say what was meant to differ, from what to what."""
    if not under_test.names:
        return []
    last = found.past[-1]
    before = under_test.chosen({**last.field("settings"), **last.facts.refuse})
    now = under_test.chosen({**entry.settings, **facts.refuse})
    return [str(difference) for difference in differences(before, now)]


def _condition(entry: Entry, name: str) -> float | None:
    if name not in FIGURES:
        value: float | None = getattr(entry, name)
        return value
    figure = entry.figures.get(name)
    return figure.value if figure else None
