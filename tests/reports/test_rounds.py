"""The sheet of rounds."""

from __future__ import annotations

import json

import pytest

from pytest_lem.flags import Flag, Reason
from pytest_lem.reports.rounds import round_sheet
from pytest_lem.results.record import EnergyRecord, WorkRecord
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile


@pytest.fixture
def rows():
    """Return a function that makes the rows of records, each by the names of its columns."""

    def make(*records):
        run = Run(id="20260102T030405-abcdef", started="2026-01-02", started_monotonic=0.0)
        sheet = round_sheet(RunFile(run=run, records=list(records)))
        names = [column.name for column in sheet.columns]
        assert len(set(names)) == len(names)
        return [dict(zip(names, sheet.cells(row), strict=True)) for row in sheet.rows]

    return make


def energy(device, value, *, domain="gpu", tier="counter", reason=None):
    """Return the energy of a device."""
    known = value is not None
    return EnergyRecord(
        domain=domain,
        device=device,
        value=value,
        u_random=3.0 if known else None,
        u_systematic=0.0 if known else None,
        tier=tier,
        reason=reason,
    )


def test_a_round_has_a_row(rows, model):
    """With its case, its window, the energies of each domain and what was done."""
    (row,) = rows(model(flags=(Flag.SINGLE_ROUND,)))
    assert (row["run"], row["round"], row["attempt"]) == ("20260102T030405-abcdef", 0, 1)
    assert (row["kind"], row["backend"], row["batch_size"]) == ("infer", "transformers", 2)
    assert json.loads(row["settings"])["workload.name"] == "default"
    assert (row["start_s"], row["end_s"], row["duration_s"]) == (10.0, 12.0, 2.0)
    assert (row["energy_package_j"], row["energy_package_u_random_j"]) == (8.0, 0.4)
    assert (row["energy_package_devices"], row["energy_package_tier"]) == (1, "counter")
    assert (row["requests"], row["input_tokens"], row["output_tokens"]) == (2, 10, 8)
    assert (row["validity"], row["reasons"], row["flags"]) == ("valid", "", "single_round")


def test_what_is_not_known_is_null(rows, call):
    """A count that has no meaning, a domain that was not read, an energy without a value."""
    (row,) = rows(call(joules=None))
    unknown = ["energy_package_j", "energy_gpu_j", "output_tokens", "power_cap_share", "throttling"]
    assert [row[name] for name in unknown] == [None] * 5
    assert row["energy_package_reason"] == "the sensor slept"
    assert (row["energy_package_devices"], row["energy_gpu_devices"]) == (1, None)
    assert (row["calls"], row["units"]) == (4, 8.0)


def test_the_devices_of_a_domain_are_added(rows, call):
    """Their uncertainties as independent ones; one that is unknown makes the sum unknown."""
    known, partly = call("a"), call("b")
    known.rounds[0].energies = [energy("GPU-0", 5.0), energy("GPU-1", 6.0, tier="power")]
    partly.rounds[0].energies = [energy("GPU-0", 5.0), energy("GPU-1", None, reason="lost")]
    first, second = rows(known, partly)
    assert first["energy_gpu_j"] == 11.0
    assert first["energy_gpu_u_random_j"] == pytest.approx(18**0.5)
    assert (first["energy_gpu_tier"], first["energy_gpu_devices"]) == ("power", 2)
    assert (second["energy_gpu_j"], second["energy_gpu_reason"]) == (None, "lost")


def test_every_count_of_work_has_a_column(rows, call):
    """Also those that a later kind of case adds."""
    (row,) = rows(call())
    assert set(WorkRecord.model_fields) <= set(row)


def test_a_round_says_why_it_is_not_valid_and_what_slowed_it_down(rows, model):
    """Reasons as words; seconds by cause and device as JSON, and the mean share of the cap."""
    record = model(reasons=(Reason.COUNTER_STILL,))
    record.rounds[0].throttling = {
        "GPU-0": {"power_cap_share": 0.5, "seconds": {"thermal": 0.25}, "seen": None},
        "GPU-1": {"power_cap_share": None, "seconds": {}, "seen": None},
    }
    record.rounds[0].temperatures = {"GPU-0": {"start_c": 40.0, "max_c": 50.0}, "GPU-1": None}
    (row,) = rows(record)
    assert (row["validity"], row["reasons"]) == ("invalid", "counter_still")
    assert (row["case_validity"], row["case_reasons"]) == ("invalid", "counter_still")
    assert json.loads(row["throttling"])["GPU-0"]["seconds"] == {"thermal": 0.25}
    assert (row["power_cap_share"], row["start_c"], row["max_c"]) == (0.5, 40.0, 50.0)
