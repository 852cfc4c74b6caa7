"""The ledger of a case: steps, rounds, domains."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Reason
from pytest_lem.reports.console import text_from
from pytest_lem.reports.ledger import ledger
from pytest_lem.results.record import EnergyRecord, PhaseRecord, Warned

Make = Callable[..., Any]
GPU = "GPU-12345678-aaaa-bbbb"


def _rows(record: Any, width: int = 120) -> list[list[str]]:
    text = text_from(ledger(record, width), width=width, is_colored=False)
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def _energy(domain: str, device: str, value: float | None, **fields: Any) -> EnergyRecord:
    own = {"u_random": 0.3, "u_systematic": 0.4, "tier": "counter", **fields}
    return EnergyRecord(domain=domain, device=device, value=value, **own)


@pytest.fixture
def boards(call: Make) -> Any:
    """Make a record of two rounds of 2 s, in which a GPU, a package and memory were read."""
    record = call()
    first = record.rounds[0]
    energies = [_energy("gpu", GPU, 400.0), _energy("package", "package-0", 50.0)]
    energies.append(_energy("dram", "dram-0", None, reason="lost"))
    first = first.model_copy(update={"energies": energies})
    record.rounds = [first, first.model_copy(update={"seq": 1})]
    return record


def test_each_domain_has_a_line_in_each_round_and_over_all(boards: Any) -> None:
    """With its power; joules add up, what is random by squares; unknown stays unknown."""
    rows = _rows(boards)
    assert rows[1] == ["step", "time", "energy", "±", "power", "of", "tokens"]
    assert ["round 1", "2.00 s", "400 J", "1.00 J", "200 W", GPU[:12], "-"] in rows
    assert ["round 1", "2.00 s", "50.0 J", "1.00 J", "25.0 W", "package-0", "-"] in rows
    assert ["round 1", "2.00 s", "-", "-", "-", "dram-0", "-"] in rows
    # 2 x sqrt(2 x 0.3^2 + (2 x 0.4)^2)
    assert ["all rounds", "4.00 s", "800 J", "1.81 J", "200 W", GPU[:12], "-"] in rows
    assert ["all rounds", "4.00 s", "-", "-", "-", "dram-0", "-"] in rows


def test_a_single_round_needs_no_sum(call: Make) -> None:
    """It would say the same again."""
    assert not any(row[0] == "all rounds" for row in _rows(call()))


def test_the_sides_of_a_pair_are_told_apart(boards: Any) -> None:
    """In their rounds and in their sums."""
    for r, side in zip(boards.rounds, "AB", strict=True):
        r.side = side
    steps = [row[0] for row in _rows(boards)]
    assert {"round 1 A", "round 2 B", "all rounds A", "all rounds B"} <= set(steps)


def test_a_round_that_is_not_to_be_trusted_is_marked(call: Make) -> None:
    """By the sign of its case."""
    rows = _rows(call(reasons=(Reason.METER_SILENT,)))
    assert rows[2][0] == "! round 1"


def test_estimates_are_marked(call: Make) -> None:
    """Joules and watts, not the time."""
    assert _rows(call(tier=Tier.ESTIMATED))[2][:5] == [
        "round 1", "2.00 s", "~8.00 J", "800 mJ", "~4.00 W",
    ]  # fmt: skip


def test_a_phase_that_nobody_metered_has_its_time(call: Make) -> None:
    """A part of the loading, for example."""
    record = call()
    record.phases = [PhaseRecord(name="load/read", t0=1.0, t1=1.5, energies=[])]
    assert _rows(record)[2] == ["load/read", "500 ms", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_it_fits(boards: Any, width: int) -> None:
    """Columns are given up, the energy and whose it is never."""
    text = text_from(ledger(boards, width), width=width, is_colored=False)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    assert re.search(rf"round 1 .*400 J.*{GPU[:12]}", text)


def test_warnings_are_listed(boards: Any) -> None:
    """Flags send readers to them."""
    boards.warnings = [Warned(category="NotApplied", message="`x`: asked for 1, in force is 2")]
    assert ["NotApplied: `x`: asked for 1, in force is 2"] in _rows(boards)
