"""The sheet of samples."""

from __future__ import annotations

import pytest

from pytest_lem.energy.sampling.archive import write_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.errors import LemError
from pytest_lem.reports.samples import sample_sheet
from pytest_lem.results.record import SeriesRecord
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile


@pytest.fixture
def run_file(call, tmp_path):
    """Make a run of two records, the first of which was sampled: a GPU twice, a package once."""
    gpu, package = Track(("power_w", "sm_mhz")), Track(("power_w", "energy_j"))
    gpu.add(10.0, [100.0, 1500.0])
    gpu.add(10.1, [None, 1400.0])
    package.add(10.05, [30.0, 7.0])
    write_series(Series({"GPU-0": gpu, "package-0": package}, interval_s=0.1), tmp_path / "a.npz")
    sampled = call("a")
    sampled.series = SeriesRecord(
        path="a.npz", interval_s=0.1, achieved_interval_s=0.1, samples=2, gaps=[]
    )
    run = Run(id="run", started="2026-01-02", started_monotonic=0.0)
    return RunFile(run=run, records=[sampled, call("b")])


def test_a_sample_has_a_row(run_file, tmp_path):
    """For each device; what it does not have, or did not tell, is null."""
    sheet = sample_sheet(run_file, tmp_path)
    names = [column.name for column in sheet.columns]
    assert names[:2] == ["run", "key"]
    assert names[-5:] == ["device", "time_s", "power_w", "sm_mhz", "energy_j"]
    assert [sheet.cells(row)[-5:] for row in sheet.rows] == [
        ["GPU-0", 10.0, 100.0, 1500.0, None],
        ["GPU-0", 10.1, None, 1400.0, None],
        ["package-0", 10.05, 30.0, None, 7.0],
    ]


def test_samples_that_are_gone_are_named(run_file, tmp_path):
    """A run file that was copied away has none beside it."""
    with pytest.raises(LemError, match=r"a\.npz"):
        sample_sheet(run_file, tmp_path / "elsewhere")
