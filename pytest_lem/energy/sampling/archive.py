"""Series in files: kept as `.npz`, given away as CSV."""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Iterator
from dataclasses import asdict
from math import isnan, nan
from pathlib import Path
from typing import Any, TextIO

from pytest_lem.energy.sampling.npz import Arrays, packed, unpacked
from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.replace import replace

#: Of the layout of the file.
_VERSION = 1
_ABOUT = "about"
_TIMES = "time_s"


def write_series(series: Series, path: Path) -> None:
    """Write a compressed `.npz`, atomically: a reader sees nothing or the whole file.

    It holds an array of doubles named `DEVICE/COLUMN` for each column, with NaN for a missing
    value, `DEVICE/time_s` with the times, and `about`, the bytes of JSON.

    Raises LemError (`storage`) where it cannot be written.
    """
    about = json.dumps(_about(series), allow_nan=False).encode()
    arrays: dict[str, array[Any]] = {_ABOUT: array("B", about)}
    for device, track in series.tracks.items():
        for name, column in {_TIMES: track.times_s, **track.columns}.items():
            arrays[f"{device}/{name}"] = column
    try:
        replace(path, packed(arrays))
    except OSError as error:
        raise LemError(
            f"cannot write the series to {path} ({_why(error)}); make room there, or let "
            "--lem-store name another folder",
            kind=FailureKind.STORAGE,
        ) from error


def read_series(path: str | Path) -> Series:
    """Return the series of a file; raises LemError (`data`) where there is none in it."""
    try:
        return _series(unpacked(Path(path)))
    except Exception as error:
        # What is damaged fails wherever it happens to: in the archive, in an array, in JSON.
        raise LemError(
            f"the series in {path} cannot be read ({_why(error)}); measure the case again, or "
            "bring the file back from where it was copied",
            kind=FailureKind.DATA,
            detail=repr(error),
        ) from error


def write_csv(series: Series, out: TextIO) -> None:
    """Write a line for each device and sample, with the units in the header's names."""
    names = list(dict.fromkeys(n for track in series.tracks.values() for n in track.columns))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_TIMES, "device", *names])
    lines = [line for device, track in series.tracks.items() for line in _lines(device, track)]
    for time_s, device, values in sorted(lines, key=lambda line: line[0]):
        cells = [values.get(name, nan) for name in names]
        writer.writerow([f"{time_s:.6f}", device, *(_cell(value) for value in cells)])


def _about(series: Series) -> dict[str, Any]:
    """Return all but the samples as plain data."""
    return {
        "version": _VERSION,
        "interval_s": series.interval_s,
        "from_s": series.from_s,
        "until_s": series.until_s,
        "faults": series.faults,
        "devices": {
            device: {
                "columns": list(track.columns),
                "source": asdict(track.source) if track.source else None,
            }
            for device, track in series.tracks.items()
        },
        "looks": [[look.time_s, look.device, look.kind, look.pids] for look in series.looks],
    }


def _series(arrays: Arrays) -> Series:
    about = json.loads(arrays[_ABOUT].tobytes())
    if about["version"] != _VERSION:
        raise ValueError(f"its layout is version {about['version']}, not {_VERSION}")
    return Series(
        {device: _track(device, facts, arrays) for device, facts in about["devices"].items()},
        interval_s=about["interval_s"],
        from_s=about["from_s"],
        until_s=about["until_s"],
        faults=about["faults"],
        looks=[
            Look(time_s=time_s, device=device, kind=kind, pids=tuple(pids))
            for time_s, device, kind, pids in about["looks"]
        ],
    )


def _track(device: str, facts: dict[str, Any], arrays: Arrays) -> Track:
    track = Track((), Source(**facts["source"]) if facts["source"] else None)
    track.times_s = arrays[f"{device}/{_TIMES}"]
    track.columns = {name: arrays[f"{device}/{name}"] for name in facts["columns"]}
    if any(len(column) != len(track.times_s) for column in track.columns.values()):
        raise ValueError(f"the columns of {device} differ in length")
    if list(track.times_s) != sorted(track.times_s):
        raise ValueError(f"the times of {device} are out of order")
    return track


def _lines(device: str, track: Track) -> Iterator[tuple[float, str, dict[str, float]]]:
    for i, time_s in enumerate(track.times_s):
        yield time_s, device, {name: column[i] for name, column in track.columns.items()}


def _cell(value: float) -> str:
    return "" if isnan(value) else f"{value:.15g}"


def _why(error: Exception) -> str:
    """Return the first line of what went wrong, or its name."""
    return getattr(error, "strerror", None) or (str(error).splitlines() or [repr(error)])[0]
