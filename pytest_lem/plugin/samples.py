"""The samples of a case, kept in a file beside the run file."""

from __future__ import annotations

import hashlib
from itertools import chain, count
from pathlib import Path

from pytest_lem.energy.sampling.archive import write_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.watch import Watch
from pytest_lem.errors import LemError
from pytest_lem.results.record import Record, SeriesRecord, Warned

FOLDER = "series"


def keep_samples(record: Record, watch: Watch | None, run_directory: Path) -> None:
    """Write what was sampled while a case was measured, and name the file in its record.

    A disk that is full costs the samples and a warning in the record, not the case.
    """
    times_s = [t for r in record.rounds for t in (r.t0, r.t1)]
    times_s += [t for p in record.phases if not p.is_shared for t in (p.t0, p.t1)]
    if watch is None or not times_s:
        return
    series = watch.series(min(times_s), max(times_s))
    if watch.failure:
        record.warnings.append(Warned(category="PytestWarning", message=watch.failure))
    if series is None:
        return
    path = run_directory / FOLDER / _name(record, run_directory / FOLDER)
    try:
        write_series(series, path)
    except LemError as error:
        record.warnings.append(Warned(category="PytestWarning", message=str(error)))
        return
    name = f"{FOLDER}/{path.name}"
    record.artifacts[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.series = _described(series, name)


def _name(record: Record, folder: Path) -> str:
    """Return a name that is free: a test may measure one case twice, and two workers at once."""
    worker = f"{record.worker}-" if record.worker else ""
    stem = f"{worker}{record.case.digest[:12]}-{record.attempt}"
    stems = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(f"{free}.npz" for free in stems if not (folder / f"{free}.npz").exists())


def _described(series: Series, name: str) -> SeriesRecord:
    return SeriesRecord(
        path=name,
        interval_s=series.interval_s,
        achieved_interval_s=series.achieved_interval_s,
        samples=len(series.times_s),
        gaps=[[start_s, end_s] for start_s, end_s in series.gaps],
    )
