"""The sheet of samples: a row for each device and moment at which it was sampled."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import NamedTuple

from pytest_lem.energy.sampling.archive import read_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.reports.rounds import record_columns
from pytest_lem.reports.sheet import Column, Sheet
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.runstream import RunStream


class Sample(NamedTuple):
    """A place in the samples of one device."""

    record: Record
    device: str
    track: Track
    place: int


def sample_sheet(run_file: RunFile | RunStream, folder: Path) -> Sheet:
    """Return the samples of all records, with a column for whatever any device was asked for.

    `folder` is that of the run. Raises LemError (`data`) for samples that cannot be read. The rows
    can be gone through once; the samples of one record are held at a time, so that each file is
    read twice: for its columns, and for its rows.
    """
    run = run_file.run.id
    tracks = (t for _, series in _each(run_file, folder) for t in series.tracks.values())
    names = dict.fromkeys(name for track in tracks for name in track.columns)
    columns = [
        Column("run", str, lambda _: run),
        *record_columns(lambda row: row.record),
        Column("device", str, lambda row: row.device),
        Column("time_s", float, lambda row: row.track.times_s[row.place]),
        *map(_measured, names),
    ]
    each = _each(run_file, folder)
    rows = (sample for record, series in each for sample in _samples(record, series))
    return Sheet(columns=columns, rows=rows, about={"run": run})


def _each(run_file: RunFile | RunStream, folder: Path) -> Iterator[tuple[Record, Series]]:
    """Yield the records that were sampled, with their samples."""
    for record in run_file.records:
        if record.series:
            yield record, read_series(folder / record.series.path)


def _samples(record: Record, series: Series) -> Iterator[Sample]:
    for device, track in series.tracks.items():
        for place in range(len(track.times_s)):
            yield Sample(record, device, track, place)


def _measured(name: str) -> Column:
    def value(row: Sample) -> float | None:
        column = row.track.columns.get(name)
        return None if column is None or isnan(column[row.place]) else column[row.place]

    return Column(name, float, value)
