"""The samples of a case, in a file beside the run file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem import read_series
from pytest_lem.case import call_case
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.plugin.samples import keep_samples
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record

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


def test_the_file_covers_the_case_with_its_phases(record: Any, watch: Any, tmp_path: Any) -> None:
    """From the rest before to the last window, without what the case before had measured."""
    found = record(
        Phase(name="idle", start_s=1.0, end_s=2.0, is_shared=True),
        Phase(name="rest", start_s=4.0, end_s=5.0),
    )
    seen = watch()
    keep_samples(found, seen, tmp_path)
    assert seen.asked == [(4.0, 12.0)]
    assert read_series(tmp_path / found.series.path).times_s == [5.0, 6.0, 8.0]
    assert (found.series.samples, found.series.interval_s) == (3, 1.0)
    assert found.series.achieved_interval_s == 1.5
    assert found.series.gaps == [[8.0, 12.0]]


def test_no_file_takes_the_place_of_another(record: Any, watch: Any, tmp_path: Any) -> None:
    """Attempts, repetitions, and workers that measure one case at once, each have their own."""
    makes = [
        record(**fields)
        for fields in (
            {},
            {"attempt": 10},
            {},
            {"worker": "gw0"},
            {"worker": "gw1"},
            {"attempt": 10},
            {},
        )
    ]
    for found in makes:
        keep_samples(found, watch(), tmp_path)
    stem = makes[0].case.digest[:12]
    assert [found.series.path for found in makes] == [
        f"series/{name}.npz"
        for name in (
            f"{stem}-1", f"{stem}-10", f"{stem}-1-2", f"gw0-{stem}-1", f"gw1-{stem}-1",
            f"{stem}-10-2", f"{stem}-1-3",
        )
    ]  # fmt: skip
    for found in makes:
        content = (tmp_path / found.series.path).read_bytes()
        assert found.artifacts == {found.series.path: hashlib.sha256(content).hexdigest()}


def test_a_sampling_process_that_died_is_told(record: Any, watch: Any, tmp_path: Any) -> None:
    """What was sampled before is kept, and the record says why there is no more."""
    found = record()
    keep_samples(found, watch(failure="the sampling process was killed"), tmp_path)
    assert [w.message for w in found.warnings] == ["the sampling process was killed"]
    assert found.series.samples == 2


@pytest.mark.parametrize("times_s", [(), (5.0,)])
def test_a_case_without_samples_has_no_file(
    record: Any, watch: Any, tmp_path: Any, times_s: Any
) -> None:
    """A window between two samples is described by none of them."""
    found = record()
    keep_samples(found, watch(times_s), tmp_path)
    keep_samples(found, None, tmp_path)
    assert (found.series, found.artifacts, list(tmp_path.iterdir())) == (None, {}, [])


def test_a_failed_case_has_its_samples(lem: Any, stored: Any, suite: Any) -> None:
    """What a device did before the failure may be what explains it."""
    source = """
    from burn import burn

    calls = []

    def work():
        burn(0.2)
        calls.append(1 / (len(calls) < 2))

    def test_x(energy):
        energy(work)
    """
    lem(source, SAMPLED).assert_outcomes(failed=1)
    (record,) = stored().records
    assert (record.status, len(record.rounds), record.series.samples > 0) == ("failed", 1, True)
    assert len(list(suite.path.glob(f".lem/runs/*/{record.series.path}"))) == 1


class GivenWatch:
    """Has one device, of which it knows a power at each of some times."""

    def __init__(self, times_s: Any, failure: str | None) -> None:
        self.failure = failure
        self.asked: list[tuple[float, float]] = []
        track = Track(("power_w",))
        for time_s in times_s:
            track.add(time_s, [60.0])
        self._series = Series({"package-0": track}, interval_s=1.0)

    def series(self, start_s: float, end_s: float) -> Series | None:
        """Return what there is between two times, as the real one does."""
        self.asked.append((start_s, end_s))
        found = self._series.between(start_s, end_s)
        return found if found.times_s else None


@pytest.fixture
def watch() -> Callable[..., GivenWatch]:
    """Make a watch that took samples at some times."""

    def make(times_s: Any = (1.5, 3.0, 5.0, 6.0, 8.0), failure: str | None = None) -> GivenWatch:
        return GivenWatch(times_s, failure)

    return make


@pytest.fixture
def record() -> Callable[..., Record]:
    """Make the record of a case whose round was from 6 s to 12 s; keywords are its context's."""

    def make(*phases: Phase, **fields: Any) -> Record:
        r = Round(seq=0, start_s=6.0, end_s=12.0, energies=[], work=Work(calls=1))
        found = Measurement(rounds=[r], phases=list(phases))
        return build_record(call_case("f"), found, Context(nodeid="t", **fields))

    return make


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
