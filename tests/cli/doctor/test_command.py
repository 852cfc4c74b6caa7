"""`lem doctor` as a whole, in a process of its own."""

from __future__ import annotations

import json

import pytest
from standin import Board

from pytest_lem.cli.doctor import machine
from pytest_lem.cli.doctor.command import Examination
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.registry import METERS

KEYS = [
    "schema_version",
    "tier",
    "verdict",
    "problems",
    "hints",
    "meters",
    "devices",
    "counters",
    "cpu",
    "backends",
    "machine",
]


def refuse_constant(name):
    raise ValueError(name)


def document(done):
    """Return the JSON on stdout, which has to be all of it and without NaN."""
    return json.loads(done.stdout, parse_constant=refuse_constant)


def test_a_machine_without_a_board_is_not_broken(lem):
    """All sections are there, in 80 columns, and stderr is empty."""
    done = lem("doctor", "--quick")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    titles = [line for line in lines if line and line == line.strip() and line in KEYS]
    assert titles == KEYS[5:]
    assert max(map(len, lines)) <= 80
    assert any("there is no NVIDIA driver" in line for line in lines)


def test_the_json_is_one_document(lem):
    """It is all that stands on stdout, with the keys of docs/doctor.md."""
    done = lem("doctor", "--json", "--quick")
    found = document(done)
    assert list(found) == KEYS
    assert all(found[key] is not None for key in KEYS)
    assert done.returncode == (1 if found["problems"] else 0)


def test_a_required_tier_that_is_missing_is_a_problem(lem, standin):
    """Without it, the same machine has nothing wrong."""
    standin().fail(None, "nvmlInitWithFlags", 9)
    found = document(lem("doctor", "--json", "--quick"))
    required = lem("doctor", "--json", "--quick", f"--require-tier={found['tier']}")
    assert (required.returncode, found["problems"]) == (0, [])
    worse = lem("doctor", "--json", "--quick", "--require-tier=counter")
    is_worse = found["tier"] != "counter"
    assert worse.returncode == int(is_worse)
    assert len(document(worse)["problems"]) == int(is_worse)


def test_a_board_that_was_never_tried_is_not_tested_when_it_has_to_be_quick(lem, standin):
    """Its counter is read a single time, to see that it can be."""
    boards = standin(Board(uuid="GPU-a"))
    done = lem("doctor", "--json", "--quick", "--require-tier=counter")
    found = document(done)
    assert (done.returncode, found["tier"], done.stderr) == (0, "counter", "")
    (counter,) = [one for one in found["counters"] if one["device"] == "GPU-a"]
    assert counter["observer"] == "not_tested"
    assert boards.readings(0) <= 4


def test_a_board_at_rest_is_tried_and_kept_for_oneself(lem, standin, tmp_path):
    """Stderr says that it takes a while. A verdict of an earlier run spares most of it."""
    standin(Board(uuid="GPU-a"))
    (gpu,) = document(lem("doctor", "--json", "--quick"))["devices"]["gpus"]
    Verdicts().put("GPU-a", gpu["driver"], is_disturbed=True)
    done = lem("doctor", "--json")
    (counter,) = [one for one in document(done)["counters"] if one["device"] == "GPU-a"]
    assert (counter["observer"], counter["disturbed"]) == ("cached", True)
    assert counter["rest_w"] == pytest.approx(70, rel=0.25)
    assert 0 < counter["uncertainty"][0]["relative"] < 1
    assert "testing the counters of the GPUs" in done.stderr
    assert [*(tmp_path / "locks").glob("GPU-a*")]


@pytest.mark.parametrize("trouble", ["counter", "process"])
def test_trouble_on_a_board_is_status_1(lem, standin, trouble):
    """A board that cannot be read, or is not one's own, misleads; it is not tried either."""
    boards = standin(Board(uuid="GPU-a", mig_mode=1, slices=("MIG-a",)))
    if trouble == "counter":
        boards.fail(0, "nvmlDeviceGetTotalEnergyConsumption", 3)
    else:
        boards.add_process(0, 4242, mig_slice=0)
    done = lem("doctor")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "problem: GPU 0 (NVIDIA H100 80GB HBM3): " in done.stdout
    assert "hint: GPU 0: the GPU is split (MIG)" in done.stdout


def test_a_section_that_fails_leaves_the_others_alone(monkeypatch):
    """Its facts are null and its problem is a sentence; there is no traceback."""

    def fail(_machine):
        raise ValueError("no such memory")

    monkeypatch.setattr(machine, "look", fail)
    found = Examination(is_quick=True).findings()
    plain = found.plain()
    assert plain["machine"] is None
    assert plain["cpu"]["count_usable"] > 0
    assert any(
        "`machine` could not be made (ValueError: no such memory)" in p for p in found.problems
    )


def test_a_broken_meter_is_status_1(lem, register, monkeypatch, tmp_path):
    """A stranger's fault is named, and does not hide the rest."""
    register(METERS, "wreck", "raise RuntimeError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stranger-wreck"))
    done = lem("doctor", "--quick")
    assert done.returncode == 1
    assert "problem: the meter `wreck`" in done.stdout
    assert done.stdout.rstrip().endswith(".")
