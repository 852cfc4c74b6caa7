"""The samples of a case, in a file beside the run file."""

from __future__ import annotations

import hashlib
from typing import Any

from pytest_lem import read_series

SOURCE = """
from burn import burn

def test_x(energy):
    with energy.window("one"):
        burn(0.3)
    with energy.window("two"):
        burn(0.05)
"""
SAMPLED = "--lem-set=energy.sample_s=0.05"


def test_each_case_has_its_samples(lem: Any, stored: Any, suite: Any) -> None:
    """The file covers the case, its hash is in the record, and readers find it there."""
    lem(SOURCE, SAMPLED).assert_outcomes(passed=1)
    records = stored().records
    assert len({record.series.path for record in records}) == 2
    for record in records:
        (path,) = suite.path.glob(f".lem/runs/*/{record.series.path}")
        assert record.artifacts == {
            record.series.path: hashlib.sha256(path.read_bytes()).hexdigest()
        }
        series = read_series(path)
        assert len(series.times_s) == record.series.samples > 0
        (r,) = record.rounds
        assert all(r.t0 <= time_s <= r.t1 for time_s in series.times_s)
    first = records[0].series
    assert first.interval_s == 0.05
    assert 0.04 < first.achieved_interval_s < 0.2


def test_without_sampling_there_is_no_file(lem: Any, stored: Any, suite: Any) -> None:
    """Nor a process, nor a field that claims one."""
    lem(SOURCE).assert_outcomes(passed=1)
    assert [record.series for record in stored().records] == [None, None]
    assert not list(suite.path.glob(".lem/runs/*/series"))


def test_samples_that_cannot_be_kept_cost_a_warning(lem: Any, stored: Any, suite: Any) -> None:
    """The case is measured and passes; its record says what is missing."""
    blocked = """
    from pathlib import Path

    def pytest_collection_modifyitems(config):
        from pytest_lem.plugin.rundir import make_run_directory
        Path(make_run_directory(config), "series").write_text("in the way")
    """
    suite.makeconftest(blocked)
    lem(SOURCE, SAMPLED).assert_outcomes(passed=1)
    for record in stored().records:
        assert (record.status, record.series, record.artifacts) == ("ok", None, {})
        assert "cannot write the series" in record.warnings[0].message


def test_two_measurements_of_one_case_have_two_files(engine: Any, lem: Any, stored: Any) -> None:
    """The second does not take the place of the first."""
    source = """
    def test_x(inference):
        for _ in range(2):
            inference(options={"cpu_s": 0.1})
    """
    lem(source, "--lem-set=energy.sample_s=0.02").assert_outcomes(passed=1)
    first, second = (record.series.path for record in stored().records)
    assert second == first.replace(".npz", "-2.npz")
