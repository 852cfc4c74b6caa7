"""The section about the CPU."""

from __future__ import annotations

import pytest

from pytest_lem.cli.doctor import cpu
from pytest_lem.energy.rapl import RaplMeter

MACHINE = {"cpu": "Some CPU", "cpu_count_usable": 8, "cpu_governor": None}


@pytest.fixture
def root(tmp_path):
    """Return an empty powercap tree."""
    path = tmp_path / "class" / "powercap"
    path.mkdir(parents=True)
    return path


def zone(root, *, is_readable):
    """Make a package zone, whose counter is a file or, unreadable for root too, a folder."""
    folder = root / "intel-rapl:0"
    folder.mkdir()
    (folder / "name").write_text("package-0\n")
    if is_readable:
        (folder / "energy_uj").write_text("1000000\n")
    else:
        (folder / "energy_uj").mkdir()


def look(root):
    return cpu.look(MACHINE, RaplMeter(root=root).availability(), root)


def test_a_readable_zone_is_shown_with_its_place(root):
    """The place is where an administrator would change the permission."""
    zone(root, is_readable=True)
    section = look(root)
    path = str(root / "intel-rapl:0")
    assert section.facts["rapl_zones"] == [{"device": "package-0", "path": path, "fault": None}]
    assert section.problems == []


def test_counters_that_cannot_be_read_are_a_problem(root):
    """They are there, and a run would take the estimate instead."""
    zone(root, is_readable=False)
    section = look(root)
    (fact,) = section.facts["rapl_zones"]
    assert "could not be read" in fact["fault"]
    assert section.problems == [fact["fault"]]


def test_a_cpu_without_counters_is_not_broken(root):
    """It says where there would be some, and that the governor is unknown."""
    section = look(root)
    assert section.facts["rapl_zones"] == []
    assert section.problems == []
    texts = {row.label: row.text for row in section.rows}
    assert texts["governor"] == "cannot be read"
    assert texts["RAPL"].startswith(f"no counters in {root}")
